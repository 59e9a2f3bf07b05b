"""A load that release 0.1.0 began: this release recognises its ledger, and sends no accepted row twice.

``ledgers_of_0_1_0.json`` holds what 0.1.0 left in the state store when an attempt broke off: four parts over Bulk API 2.0
whose jobs had not ended, and an insert and a delete over REST whose answers were lost.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, TransportError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import COLLECTIONS, counted, in_org, items, task

LEDGERS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("ledgers_of_0_1_0.json").read_text())
UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


def begun(org: SimulatedOrg, context: dict[str, Any], name: str, **arguments: Any) -> None:
    """Begin a load as 0.1.0 did: the same jobs with the same rows, and 0.1.0's ledger."""
    org.bulk_polls = 60
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(task("Item__c", items(24), parallel_jobs=1, timeout=0.02, **arguments), context)
    org.bulk_polls = 0
    store = context["task_state_store"]
    store.delete("salesforce_load_attempt")  # 0.1.0 had none
    assert without_fingerprints(store.values) == without_fingerprints(LEDGERS[name])
    assert store.values != LEDGERS[name]
    store.values = json.loads(json.dumps(LEDGERS[name]))


def without_fingerprints(values: dict[str, Any]) -> dict[str, Any]:
    """The ledger without the part of each hash that says what is done with the rows."""
    return {
        key: {**value, "sha256": value["sha256"].partition("-")[0]} if isinstance(value, dict) else value
        for key, value in values.items()
    }


@pytest.mark.parametrize(("name", "arguments"), [("insert", {}), ("upsert", UPSERT)])
def test_its_jobs_are_waited_for_and_nothing_is_sent_again(
    org: SimulatedOrg, context: dict[str, Any], name: str, arguments: dict[str, Any]
) -> None:
    begun(org, context, name, **arguments)
    uploads = [request.path for request in org.requests if request.method == "PUT"]
    run_to_end(task("Item__c", items(24), **arguments), context)
    assert in_org(org) == counted(items(24))
    assert [request.path for request in org.requests if request.method == "PUT"] == uploads
    assert len(org.jobs) == 4
    assert context["task_state_store"].values == {}


def test_so_it_is_where_its_trigger_handed_the_ledger_over(org: SimulatedOrg, context: dict[str, Any]) -> None:
    begun(org, context, "insert")
    store, entries = context["task_state_store"], LEDGERS["insert"]
    store.values = {}
    ledger = {str(number): entries[f"salesforce_load_part_{number:05d}"] for number in range(4)}
    operator: Any = task("Item__c", items(24))
    operator.execute_complete(context, {"status": "ended", "ledger": ledger, "api_calls": 5})
    assert in_org(org) == counted(items(24))
    assert len(org.jobs) == 4


def test_another_operation_is_not_taken_for_it(org: SimulatedOrg, context: dict[str, Any]) -> None:
    begun(org, context, "insert")
    with pytest.raises(AirflowFailException, match="source: changed since an earlier attempt"):
        run_to_end(task("Item__c", items(24), assignment_rule_id="01Q000000000001"), context)
    assert in_org(org) - counted(items(24)) == {}


def test_its_insert_over_rest_is_not_sent_again(org: SimulatedOrg, context: dict[str, Any]) -> None:
    context["task_state_store"].values = json.loads(json.dumps(LEDGERS["insert over REST"]))
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        run_to_end(task("Item__c", items(24), transport="rest"), context)
    assert org.rows("Item__c") == []


def test_what_it_deleted_counts_as_done(org: SimulatedOrg, context: dict[str, Any]) -> None:
    rows = [{"Id": each} for each in org.insert("Item__c", items(40))]
    delete = {"operation": "delete", "transport": "rest"}
    org.add_fault(Fault("DELETE", COLLECTIONS, lose_answer=True))
    with pytest.raises(TransportError):
        run_to_end(task("Item__c", rows, **delete), context)
    (key,) = (key for key, value in LEDGERS["delete over REST"].items() if isinstance(value, dict))
    written, values = LEDGERS["delete over REST"][key], context["task_state_store"].values
    rows_hash, _, fingerprint = values[key]["sha256"].partition("-")
    of_0_1_0 = written["sha256"].partition("-")[2]
    assert (values[key].keys(), fingerprint != of_0_1_0) == (written.keys(), True)
    # The ids of the records are others than those that 0.1.0 deleted.
    values[key] = {**written, "sha256": f"{rows_hash}-{of_0_1_0}", "deleted": values[key]["deleted"]}
    assert run_to_end(task("Item__c", rows, **delete), context)["records"] == 40
    assert in_org(org).total() == 0
