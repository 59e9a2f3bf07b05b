"""The schema of load reports in the documentation, against reports that real loads wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import RecordsFailedError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.json_schema import undescribed
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import COLLECTIONS, instance, items, report_in, task
from tests.repository import REPOSITORY

SCHEMA = json.loads((REPOSITORY / "docs/load_report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    items_org.add_validation_rule("Item__c", lambda record: record["Number__c"] == 5, "not this one")
    return items_org


@pytest.fixture
def load(org: SimulatedOrg, tmp_path: Path) -> Load:
    """Load into one folder, whatever comes of it, and return what the receipt's file holds."""

    def run(context: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        wanted = {"results_path": f"file://{tmp_path}/results", "max_failed_records": 1, **arguments}
        with suppress(AirflowFailException, RecordsFailedError):
            run_to_end(task("Item__c", wanted.pop("source", items(24)), **wanted), context or {})
        return report_in(tmp_path / "results")

    return run


def faults(report: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(report)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize("mapped", [False, True])
def test_real_reports_follow_it_and_hold_nothing_that_it_does_not_describe(
    load: Load, transport: str, mapped: bool
) -> None:
    report = load(instance(3) if mapped else None, transport=transport)
    assert report["counts"]["failed"] == 1
    assert faults(report) == []
    each_code = SCHEMA["properties"]["errors_by_code"]["additionalProperties"]
    codes = {"properties": dict.fromkeys(report["errors_by_code"], each_code)}
    described = {"properties": {**SCHEMA["properties"], "errors_by_code": codes}}
    assert undescribed(described, report) == []
    assert set(report) == set(SCHEMA["properties"]) - (set() if mapped else {"written_by"})


def test_so_do_reports_of_nothing_and_of_what_broke_off(org: SimulatedOrg, load: Load) -> None:
    assert faults(load(source=[])) == []
    org.fail_next_job("InvalidBatch : as said", kind="ingest", after_batches=0)
    failed = load()
    states = [job["state"] for job in failed["jobs"]]  # of parts that are sent at once, in any order
    assert (faults(failed), states.count("Failed"), len(failed["unprocessed_sample"])) == ([], 1, 5)
    org.add_fault(Fault("POST", COLLECTIONS, lose_answer=True))
    lost = load(transport="rest")
    assert (faults(lost), list(lost["errors_by_code"])) == ([], ["ANSWER_LOST"])


@pytest.mark.parametrize(
    "change",
    [
        {"report_version": 2},
        {"operation": "merge"},
        {"counts": {"read": 1}},
        {"errors_by_code": {"X": {"count": 0, "sample": {}}}},
        {"parts": [{"name": "part-00000-7505e0000000001AAA.csv", "records": 1, "bytes": 1, "sha256": "0" * 64}]},
        {"jobs": [{"id": "001", "part": 0, "state": "Failed", "processed": 0, "failed": 0, "error": None}]},
        {"written_by": {"dag_id": "d"}},
    ],
    ids=str,
)
def test_what_is_no_report_is_refused(load: Load, change: dict[str, Any]) -> None:
    report = load()
    assert faults(report) == []
    assert faults({**report, **change}) != []
