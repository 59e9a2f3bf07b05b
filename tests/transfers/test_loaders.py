"""What the loaders of docs/loaders.md send equals a stored text, whichever versions of their providers are installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.transfers.parts import part_keys
from tests.repository import REPOSITORY
from tests.tables.data_sets import item, publish
from tests.transfers.loader_statements import KEYS

STORED = json.loads(Path(__file__).with_name("loader_statements.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the loaders send, in an environment of their own: their providers want other versions of what the tests use."""
    python = os.environ.get("SFJWT_LOADERS")
    if python is None:
        pytest.skip("missing: a Python with the providers of Snowflake, Google and Amazon (SFJWT_LOADERS)")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    home = str(tmp_path_factory.mktemp("airflow"))
    done = subprocess.run(
        [python, "-m", "tests.transfers.loader_statements"], capture_output=True, text=True, check=False,
        cwd=REPOSITORY, env={**kept, "AIRFLOW_HOME": home, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("\n{\n") :] if not done.stdout.startswith("{") else done.stdout)


@pytest.mark.parametrize("loader", ["snowflake", "bigquery", "redshift"])
def test_a_loader_sends_what_is_stored(sent: Any, loader: str) -> None:
    assert sent[loader] == STORED[loader]


def test_an_extract_hands_its_parts_over_to_a_loader(sent: Any) -> None:
    assert sent["dag"] == STORED["bigquery"]


def test_the_keys_of_the_recipes_look_like_those_of_an_extract(tmp_path: Path) -> None:
    source = publish(tmp_path / "crm/accounts/ds=2026-11-20", [item(1), item(2)], rows_per_part=1)
    made = [Path(key).relative_to(tmp_path).parent.as_posix() for key in part_keys(source)]
    assert made == [str(Path(key).parent) for key in KEYS]
