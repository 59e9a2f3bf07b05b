"""Random histories: after each run the chain, applied in its order, equals the org's table, by Id and value."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.random_tests import SOAK, examples
from tests.sync.histories import History

DELETES = ("ids", "replicated", "recycle_bin")
seen: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _say(said: list[str]) -> Iterator[None]:
    yield
    if seen:
        counts = ", ".join(f"{number:,} × {what}" for what, number in sorted(seen.items()))
        said.append(f"Histories of syncs, the chain equal to the org after each run: {counts}")


def go_through(seed: int, *, objects: int, runs: int, deletes: str, private_key: str) -> None:
    """One history from an empty root to its end."""
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    with pytest.MonkeyPatch.context() as patch, SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as org:
        patch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
        patch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", "")  # a history names the database of its own
        history = History(org, folder / "salesforce", Random(seed), objects, deletes)
        for _ in range(runs):
            history.run()
        history.settle()
    shutil.rmtree(folder)
    seen.update(history.seen)
    seen.update({"histories": 1, "runs": history.runs + 1})


@settings(max_examples=examples(6), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), deletes=st.sampled_from(DELETES))
def test_any_history_of_a_few_objects(seed: int, deletes: str, private_key: str) -> None:
    go_through(seed, objects=2, runs=4, deletes=deletes, private_key=private_key)


if SOAK:  # it takes minutes

    @pytest.mark.soak
    @pytest.mark.timeout(1800)
    @pytest.mark.parametrize("deletes", ["ids", "replicated"])
    def test_twenty_runs_over_thirty_objects(deletes: str, private_key: str) -> None:
        go_through(SOAK * 7 + len(deletes), objects=30, runs=20, deletes=deletes, private_key=private_key)
