"""Failures as somebody reads them who has Airflow's UI alone: the first 120 characters say what to change.

A run prints them as a table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_sfjwt import exceptions
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.stack import LocalAirflow

pytestmark = pytest.mark.timeout(600)

DAG_ID = "failures_read"
#: Characters of a line that the log pane shows.
SHOWN, LINE = 120, 100
#: What Airflow itself raises for a connection that is not defined.
AIRFLOWS_OWN = "AirflowNotFoundException"
#: The name of the setting that is to be changed, in the order of the DAG.
SETTINGS = (
    "Consumer key", "Private key", "Username other@example.com", "Login URL", "no_such_connection",
    "sobject", "Nmae", "where: INVALID_FIELD: No such column 'Industri'", "output_path", "incremental",
)  # fmt: skip
#: The file, its content, and the column or key that is to be corrected.
FILES = {
    "number": (b'Name,StageName,CloseDate,Amount\nA,Prospecting,2026-12-01,"1,5"\n', "Amount, row 1"),
    "date": (b"LastName,Birthdate\nA,31.12.1980\n", "Birthdate, row 1"),
    "too_long": (b"LastName\n" + b"x" * 81 + b"\n", "LastName, row 1"),
    "empty": (b"FirstName,LastName\nA,B\nC,\n", "LastName, row 2"),
    "twice": (b"ExternalKey__c,LastName\n1,A\n2,B\n1,C\n", "ExternalKey__c, row 3"),
    "unknown_column": (b"LastName,Emial\nA,a@example.com\n", "Emial"),
    "ragged": (b"LastName,FirstName\nA,B\nC\n", "Row 2 of ragged.csv"),
    "latin_1": ("LastName,FirstName\nMüller,A\n".encode("latin-1"), "Give its encoding, e.g. encoding="),
    "two_columns": (b"LastName,LastName\nA,B\n", "LastName"),
    "no_such_parent": (b"LastName,AccountId\nA,001000000000000AAA\n", "AccountId, row 1"),
}  # fmt: skip


class Failure(NamedTuple):
    """What the UI shows of a failed task instance."""

    task_id: str
    map_index: int
    message: str
    exceptions: int
    lines: list[str]


@pytest.fixture(scope="module")
def failures(airflow: LocalAirflow, running_org: SimulatedOrg, output: Path) -> list[Failure]:
    """All failures of one run."""
    folder = output / "failures_read"
    folder.mkdir()
    for name, (content, _) in FILES.items():
        (folder / f"{name}.csv").write_bytes(content)
    whole = json.loads(running_org.connection_json())
    for conn_id, changed, extra in (
        ("no_consumer_key", {}, {"consumer_key": ""}),
        ("broken_key", {}, {"private_key": "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"}),
        ("other_user", {"login": "other@example.com"}, {}),
        ("page_of_the_ui", {"host": "https://acme.lightning.force.com"}, {}),
    ):
        airflow.add_connection(conn_id, json.dumps({**whole, **changed, "extra": {**whole["extra"], **extra}}))
    run_id = airflow.trigger(DAG_ID)
    airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True)
    tasks = [each for each in airflow.tasks(DAG_ID, run_id) if each["state"] == "failed"]
    shown = [_shown(airflow, run_id, task) for task in tasks]
    return sorted(shown, key=lambda failure: (failure.task_id == "file", failure.map_index))


def _shown(airflow: LocalAirflow, run_id: str, task: dict[str, Any]) -> Failure:
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/1"
    events = airflow.api("GET", path, params={"map_index": task["map_index"], "full_content": "true"})["content"]
    details = [event["error_detail"] for event in events if event.get("error_detail")]
    first = details[0][0]
    lines = [str(event["event"]) for event in events if event.get("level") in ("error", "warning")]
    message = f"{first['exc_type']}: {first['exc_value']}"
    return Failure(task["task_id"], task["map_index"], message, sum(map(len, details)), lines)


def test_the_first_characters_name_what_to_change(failures: list[Failure]) -> None:
    wanted = [*SETTINGS, *(named for _, named in FILES.values())]
    print()
    for failure in failures:
        print(f"{failure.task_id:8}{failure.map_index}  {failure.message[:SHOWN]}")
    assert len(failures) == len(wanted)
    for failure, named in zip(failures, wanted, strict=True):
        assert named in failure.message[:SHOWN], failure.message


def test_nothing_else_stands_in_the_way(failures: list[Failure]) -> None:
    ours = [name for name in exceptions.__all__ if name.endswith("Error")]
    for failure in failures:
        assert failure.exceptions == 1, failure.message
        kind, _, text = failure.message.partition(": ")
        assert kind in ("AirflowFailException", AIRFLOWS_OWN)
        assert not [name for name in ours if name in text]


def test_the_whole_explanation_comes_before_in_short_lines(failures: list[Failure]) -> None:
    for failure in failures:
        if failure.message.startswith(AIRFLOWS_OWN):
            continue
        said = [line for line in failure.lines if len(line) <= LINE]
        words = [word.strip(".;") for word in " ".join(said).split()]
        last = [word.strip(".;") for word in failure.message.split()[-8:]]
        assert not [word for word in last if word not in words and len(word) < LINE], (failure, said)
