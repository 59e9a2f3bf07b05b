"""Platform events of the simulated org, by requests that no code of the package makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_sfjwt.testing import Field, SimulatedOrg


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}) as running:
        running.define_object("Order__e", [Field("Number__c", length=10, nillable=False)])
        yield running


def call(org: SimulatedOrg, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {org.issue_session()}"}
    return requests.request(method, f"{org.url}/services/data/v66.0/{path}", json=body, headers=headers, timeout=30)


def record(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Order__e"}, **values}


def test_a_published_event_is_answered_with_its_uuid_among_the_errors(org: SimulatedOrg) -> None:
    answer = call(org, "POST", "composite/sobjects", {"records": [record(Number__c="1"), record()]}).json()
    assert (answer[0]["success"], answer[0]["errors"][0]["statusCode"]) == (True, "OPERATION_ENQUEUED")
    assert (answer[1]["success"], answer[1]["errors"][0]["statusCode"]) == (False, "REQUIRED_FIELD_MISSING")
    (row,) = org.rows("Order__e")
    assert row["EventUuid"] == answer[0]["errors"][0]["message"]


def test_it_cannot_be_queried_or_changed(org: SimulatedOrg) -> None:
    made = call(org, "POST", "composite/sobjects", {"records": [record(Number__c="1")]}).json()[0]["id"]
    assert call(org, "GET", "query?q=SELECT+Number__c+FROM+Order__e").status_code == 400
    changed = call(org, "PATCH", "composite/sobjects", {"records": [record(id=made, Number__c="2")]}).json()
    assert changed[0]["errors"][0]["statusCode"] == "INVALID_TYPE_FOR_OPERATION"
    gone = call(org, "DELETE", f"composite/sobjects?ids={made}").json()
    assert gone[0]["success"] is False


def test_its_description_has_what_salesforce_adds(org: SimulatedOrg) -> None:
    described = call(org, "GET", "sobjects/Order__e/describe").json()
    names = [field["name"] for field in described["fields"]]
    assert {"Number__c", "EventUuid", "ReplayId", "CreatedDate", "CreatedById"} <= set(names)
    assert not {"Name", "SystemModstamp", "IsDeleted", "LastModifiedDate"} & set(names)
    assert (described["createable"], described["updateable"], described["queryable"]) == (True, False, False)
