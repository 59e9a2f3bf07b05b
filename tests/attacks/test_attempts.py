"""Attempts that die, or stop and go on while the next one works: the next one is exact, and no receipt lies.

Each example is one moment. The suite tries 20 of them, ``make soak`` more than 300.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.load.staging.scratch_folder import PREFIX
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.attacks.attempts import Attempt
from tests.attacks.tasks import extracting, faults_of_data_set, faults_of_load, files_in, loading
from tests.operators.broken_store import BUCKET, broken_store
from tests.operators.load_task import define_items, items
from tests.orgs import private_key
from tests.random_tests import SOAK

__all__ = ["private_key"]

HOWS = ("SIGKILL", "SIGTERM", "SIGSTOP, two at once")
SEEDS = st.integers(0, 2**32)


def moments(suite: int, soak: int) -> Any:
    """How many moments a test tries."""
    return settings(
        max_examples=soak * SOAK if SOAK else suite, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


class Stage:
    """An org, and what the attempts of its tasks need.

    :param org: with accounts in several result pages.
    :param home: a folder for the tasks' folders.
    """

    def __init__(self, org: SimulatedOrg, home: Path, store: Any) -> None:
        self.org = org
        self.store = store
        self.home = home
        self._tasks = 0
        self.tried: Counter[str] = Counter()
        self.environment = {
            "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
            "AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY": "0.001",
            "AIRFLOW_CONN_S3": store.connection,
        }

    def task(self, make: Callable[..., Any], **arguments: Any) -> Task:
        """A new task."""
        self._tasks += 1
        home = self.home / str(self._tasks)
        home.mkdir()
        return Task(self, make, arguments, home)


class Task:
    """A task, and its attempts."""

    def __init__(self, stage: Stage, make: Callable[..., Any], arguments: dict[str, Any], home: Path) -> None:
        self._stage, self._make, self._arguments = stage, make, arguments
        self.home = home
        self._tries = 0

    def attempt(self) -> Attempt:
        """Begin the next attempt."""
        self._tries += 1
        return Attempt(self._make, self._arguments, self._stage.environment, self.home, self._tries)

    def logs(self) -> str:
        """What all attempts logged."""
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.home.glob("log-*")))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, private_key: str, said: list[str]) -> Iterator[Stage]:
    org = SimulatedOrg(records={"Account": 60}, bulk_page_size=10, bulk_polls=1, private_key=private_key)
    with org, broken_store() as store:
        define_items(org)
        made = Stage(org, tmp_path_factory.mktemp("attempts"), store)
        yield made
        if made.tried:
            said.append(
                "Attempts that die or stop: " + ", ".join(f"{n} {how}" for how, n in sorted(made.tried.items()))
            )


@pytest.fixture(scope="module")
def seconds(stage: Stage) -> dict[str, float]:
    """How long an attempt takes that nobody disturbs."""
    took = {}
    for name, task in (
        ("extract", stage.task(extracting, path=f"file://{stage.home}/first")),
        ("load", stage.task(loading, sobject="Item__c", rows=items(40))),
    ):
        attempt = task.attempt()
        ended = attempt.ends()
        assert "result" in ended, (ended, task.logs())
        took[name] = ended["ended"] - attempt.begun
    return took


def disturbed(task: Task, how: str, random: Random, seconds: float) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Two attempts, the first of which is disturbed.

    :return: how they ended; for the second None where there was none, since the first had ended well.
    """
    first = task.attempt()
    time.sleep(random.uniform(0, 1.1 * seconds))
    if how == "SIGSTOP, two at once":
        first.signal(signal.SIGSTOP)
        second = task.attempt()
        time.sleep(random.uniform(0, 1.5 * seconds))
        first.signal(signal.SIGCONT)
        return first.ends(), {**second.ends(), "begun": second.begun}
    first.signal(signal.Signals[how])
    if how == "SIGTERM" and random.random() < 0.5:  # Airflow waits a while before it kills
        time.sleep(random.uniform(0, seconds))
        first.signal(signal.SIGKILL)
    ended = first.ends()
    return ended, None if "result" in ended else {**(second := task.attempt()).ends(), "begun": second.begun}


def check_extract(stage: Stage, path: str, files: Callable[[], dict[str, bytes]], seed: int, seconds: float) -> None:
    """Disturb an extract, and look into its folder after each step."""
    random = Random(seed)
    how = HOWS[seed % 3]
    stage.tried[how] += 1
    task = stage.task(extracting, path=path)
    first, second = disturbed(task, how, random, seconds)
    told = (how, seed, first, second, task.logs())
    if how != "SIGSTOP, two at once":
        assert "result" in (second or first), told
    assert "result" in first or (second is not None and "result" in second), told
    assert faults_of_data_set(files(), stage.org) == [], told
    third = task.attempt().ends()
    assert "result" in third, (*told, third)
    assert faults_of_data_set(files(), stage.org) == [], told


@pytest.mark.attack(
    "an extract is killed, or stops and goes on while the next attempt works",
    before="a part of a green receipt cut (1,048,412 of 3,887,613 bytes)",
    after="exact, the receipt true, no stray file",
)
@pytest.mark.timeout(0 if SOAK else 900)
@moments(8, 16)
@given(seed=SEEDS)
def test_the_next_attempt_of_an_extract_is_exact(
    stage: Stage, seconds: dict[str, float], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("out")
    check_extract(stage, f"file://{folder}", lambda: files_in(folder), seed, seconds["extract"])


@pytest.mark.attack(
    "the same on S3",
    before="the same",
    after="exact, the receipt true, no stray object",
)
@pytest.mark.timeout(0 if SOAK else 900)
@moments(3, 4)
@given(seed=SEEDS)
def test_the_next_attempt_of_an_extract_to_an_object_store_is_exact(
    stage: Stage, seconds: dict[str, float], seed: int
) -> None:
    client, prefix = stage.store.client, f"out/{time.monotonic_ns()}"

    def files() -> dict[str, bytes]:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", [])
        return {
            each["Key"].rpartition("/")[2]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            for each in found
        }

    check_extract(stage, f"s3://s3@{BUCKET}/{prefix}", files, seed, 2 * seconds["extract"])


@pytest.mark.attack(
    "a load is killed, or stops and goes on while the next attempt works",
    before="35 of 40 rows came twice",
    after="each row once, nothing in the temporary folder",
)
@pytest.mark.timeout(0 if SOAK else 900)
@moments(9, 16)
@given(seed=SEEDS)
def test_the_next_attempt_of_a_load_sends_no_row_twice(stage: Stage, seconds: dict[str, float], seed: int) -> None:
    random, how = Random(seed), HOWS[seed % 3]
    stage.tried[f"{how} (load)"] += 1
    sobject = f"Item{time.monotonic_ns()}__c"
    define_items(stage.org, sobject)
    rows = [{**row, "Key__c": None} for row in items(40)]
    task = stage.task(loading, sobject=sobject, rows=rows)
    first, second = disturbed(task, how, random, seconds["load"])
    told = (how, seed, first, second, task.logs())
    if second is not None and "result" in first and first["ended"] < second["begun"]:
        return  # it had ended well by then, and Airflow begins no other attempt
    assert "result" in (second or first), told
    assert faults_of_load(stage.org, sobject, rows) == [], told
    assert [path.name for path in (task.home / "tmp").glob(f"{PREFIX}*")] == [], told
