"""The transfer to Google Cloud Storage, run beside the same task here."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.migrating.read_rows import rows
from tests.migrating.table import TABLE
from tests.repository import REPOSITORY


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What both tasks wrote and returned, by case."""
    python = os.environ.get("SFJWT_LOADERS")
    if python is None:
        pytest.skip("missing: a Python with the providers of Salesforce and Google (SFJWT_LOADERS)")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    home = str(tmp_path_factory.mktemp("airflow"))
    done = subprocess.run(
        [python, "-m", "tests.migrating.to_gcs"], capture_output=True, text=True, check=False,
        cwd=REPOSITORY, env={**kept, "AIRFLOW_HOME": home, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index('{"large"') :])


@pytest.mark.parametrize(
    ("case", "official", "here", "differs"),
    [
        ("csv", "query, bucket_name, object_name, gcp_conn_id", "soql, output_path", "a folder with a receipt"),
        ("ndjson", 'export_format="ndjson"', 'file_format="jsonl"', ""),
        ("gzip", "gzip=True", 'compression="gzip"', ""),
        ("include_deleted", "include_deleted=True", "include_deleted=True", ""),
        (
            "query_params",
            "query_params={'headers': …}",
            "",
            "nothing to give: pages are as large as Salesforce makes them",
        ),
    ],
)
def test_to_gcs(gcs: Any, case: str, official: str, here: str, differs: str) -> None:
    ran = gcs["ran"][case]
    (theirs,) = ran["official"]
    expected = sorted(rows(theirs), key=str)
    assert sorted((row for part in ran["here"] for row in rows(part)), key=str) == expected
    assert ran["result"]["here"]["records"] == len(expected) == 24 + (case == "include_deleted")
    TABLE.add(f"SalesforceToGcsOperator({official})", f"SalesforceExtractOperator({here})", differs)


def test_what_the_task_returns(gcs: Any) -> None:
    assert gcs["ran"]["csv"]["result"]["official"] == "gs://lake/official/accounts.csv"
    assert gcs["ran"]["unwrap_single"]["result"]["official"] == ["gs://lake/official/accounts.csv"]
    here = gcs["ran"]["unwrap_single"]["result"]["here"]
    assert here["output_path"] == "gs://google_cloud_default@lake/accounts"
    assert here["receipt"].endswith("/_receipt.json")
    TABLE.add("SalesforceToGcsOperator(unwrap_single)", "a dict with receipt, output_path, records and more")


def test_a_run_leaves_its_own_parts_and_receipt(gcs: Any) -> None:
    """Six runs wrote to one folder: each removed the parts of the one before."""
    names = [name.removeprefix("accounts/") for name in gcs["names"] if name.startswith("accounts/")]
    assert [name.partition("-")[0] for name in names] == ["_receipt.json", "part"]


def test_a_large_file_is_there_when_it_is_whole_and_not_before(gcs: Any) -> None:
    assert gcs["large"] == {"whole": True, "broken": False}
