"""Random writes with random faults: the windows of the watchers' events bring each of them, in both modes."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.orgs import private_key
from tests.random_tests import SOAK, examples
from tests.triggers.watching.random_changes import MODES, Changes
from tests.triggers.watching.triggerer import Streamed

__all__ = ["private_key"]

seen: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _say(said: list[str]) -> Iterator[None]:
    yield
    if seen:
        counts = ", ".join(f"{number:,} × {what}" for what, number in sorted(seen.items()))
        said.append(f"Watchers, the windows of their events brought each write in both modes: {counts}")


def go_through(seed: int, private_key: str, *, objects: int, writes: int, pace: float) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="changes-") as folder,
        SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as org,
    ):
        bus = org.start_event_bus()
        bus.faults.keep_alive = 0.3
        patch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.01")
        patch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "3")
        patch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json(pubsub_endpoint=bus.endpoint))
        patch.setattr(Streamed, "patience", 1.0)
        changes = Changes(org, bus, Path(folder), Random(seed), objects, pace)
        asyncio.run(changes.run(writes))
        seen.update(changes.seen)
        assert {mode: changes.missing(mode) for mode in MODES} == {"poll": [], "events": []}


@settings(max_examples=examples(1), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_changes_of_a_few_objects(seed: int, private_key: str) -> None:
    go_through(seed, private_key, objects=3, writes=400, pace=0.02)


if SOAK:  # it takes minutes

    @pytest.mark.soak
    @pytest.mark.timeout(1800)
    def test_ten_thousand_changes_of_twenty_objects(private_key: str) -> None:
        go_through(SOAK, private_key, objects=20, writes=10_000, pace=0.02)
