"""What the log of a load says of rows that were lost: which, how many, and where they are."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import event_of, run_to_end
from tests.operators.load_task import instance, items, report_in, task, write_csv

RULE = "Number__c is even"


@pytest.fixture
def org(items_org: SimulatedOrg) -> Iterator[SimulatedOrg]:
    """An org that takes no rows whose number is odd."""
    items_org.add_validation_rule("Item__c", lambda record: record["Number__c"] % 2 == 1, RULE, ["Number__c"])
    yield items_org


def named(text: str) -> Path:
    """The file of failed rows that a text names."""
    found = re.search(r"file://(\S+/(?:failed|faults)-\d+-\w+\.csv)", text)
    assert found, text
    return Path(found[1])


def test_U9_a_green_load_with_losses_ends_in_one_warning(
    org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    load = task("Item__c", items(6), max_failed_records=3, results_path=f"file://{tmp_path}", part_bytes=10**6)
    assert run_to_end(load, instance())["counts"]["failed"] == 3
    last = caplog.records[-1]
    assert [record for record in caplog.records if record.levelname == "WARNING"] == [last]
    said = last.getMessage()
    assert said.startswith("3 of 6 rows were not loaded into Item__c (3 failed, 0 unprocessed). They are in file://")
    assert named(said).exists()


def test_a_red_load_names_its_file_and_the_field(org: SimulatedOrg, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "rows.csv", items(6))
    with pytest.raises(AirflowFailException) as red:
        run_to_end(task("Item__c", source, results_path=f"file://{tmp_path}/out", part_bytes=10**6), instance())
    begins = f"Column Number__c, row 2 of rows.csv: FIELD_CUSTOM_VALIDATION_EXCEPTION: {RULE}. 3 of 6 rows were not loaded into"
    assert str(red.value).startswith(begins)
    assert named(str(red.value)).exists()


def test_a_failed_check_names_its_file_and_has_the_rows_in_order(org: SimulatedOrg, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = items(6)
    rows[0]["Number__c"], rows[4]["Number__c"], rows[2]["Key__c"] = "many", "more", rows[1]["Key__c"]
    source = write_csv(tmp_path / "rows.csv", rows)
    upsert = {"operation": "upsert", "external_id_field": "Key__c"}
    with pytest.raises(AirflowFailException) as red:
        run_to_end(task("Item__c", source, results_path=f"file://{tmp_path}/out", **upsert), instance())
    assert str(red.value).startswith("Column Number__c, row 1 of rows.csv: ")
    assert re.findall(r"rows\.csv row (\d)", str(red.value)) == ["1", "3", "5"]
    assert "they are in" in str(red.value)
    assert named(str(red.value)).exists()


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"operation": "upsert", "external_id_field": "Key__c"}, "it sends each part with changed rows as a whole"),
        (
            {"operation": "upsert", "external_id_field": "Key__c", "transport": "rest"},
            "over REST, it sends all rows again",
        ),
        ({"operation": "insert"}, "If it is in the rows, load the corrected ones by themselves"),
    ],
)
def test_U4_it_says_what_clearing_the_task_sends(
    org: SimulatedOrg, tmp_path: Path, arguments: dict[str, Any], advice: str
) -> None:
    with pytest.raises(AirflowFailException, match=advice):
        run_to_end(task("Item__c", items(4), **arguments), instance())


def test_a_corrected_part_is_sent_as_a_whole_as_the_advice_says(org: SimulatedOrg) -> None:
    context, upsert = instance(), {"operation": "upsert", "external_id_field": "Key__c", "part_bytes": 10**6}
    rows = items(4)
    with pytest.raises(AirflowFailException):
        run_to_end(task("Item__c", rows, **upsert), context)
    for row in rows:
        row["Number__c"] *= 2
    run_to_end(task("Item__c", rows, **upsert), context)
    assert [job["numberRecordsProcessed"] for job in org.jobs.values()] == [4, 4]


def test_the_seconds_count_a_deferral(org: SimulatedOrg, tmp_path: Path) -> None:
    context = instance()
    load = task("Item__c", items(1), deferrable=True, results_path=f"file://{tmp_path}")
    with pytest.raises(TaskDeferred) as deferred:
        load.execute(context)
    event = event_of(deferred.value.trigger)
    assert abs(event["began_at"] - time.time()) < 60
    load.execute_complete(context, {**event, "began_at": event["began_at"] - 61})
    assert 61 <= report_in(tmp_path)["seconds"] < 121
