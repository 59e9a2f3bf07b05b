"""A load whose job is gone after a retry has found it: its rows are sent again, or it is said that nobody knows them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import counted, in_org, items, task

pytestmark = pytest.mark.usefixtures("no_waiting")

GONE = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}


def retried(org: SimulatedOrg, context: dict[str, Any], *, deferrable: bool, **arguments: Any) -> Any:
    """Let an attempt run out of time, and its four jobs be purged as soon as the next attempt has found them."""
    org.bulk_polls = 1000
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(task("Item__c", items(20), timeout=0.02, **arguments), context)
    org.bulk_polls = 0
    org.add_fault(Fault(method="GET", path="*000[1-4]AAA", nth=5, times=None, status=404, body=GONE))
    return run_to_end(task("Item__c", items(20), deferrable=deferrable, **arguments), context)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_rows_of_an_upsert_are_sent_again(items_org: SimulatedOrg, context: dict[str, Any], deferrable: bool) -> None:
    assert retried(items_org, context, deferrable=deferrable, **UPSERT)["records"] == 20
    assert len(items_org.jobs) == 8
    assert in_org(items_org) == counted(items(20))


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_rows_of_an_insert_are_not(items_org: SimulatedOrg, context: dict[str, Any], deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match="is gone .* unknown which of its rows were inserted. Compare"):
        retried(items_org, context, deferrable=deferrable)
    assert len(items_org.jobs) == 4
