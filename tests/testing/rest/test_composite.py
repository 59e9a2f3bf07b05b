"""``/composite`` of the simulated org, by requests that no code of the package makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.testing.conftest import Client


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 3}) as running:
        yield running


@pytest.fixture
def client(org: SimulatedOrg) -> Client:
    return Client(org)


ROOT = "/services/data/v66.0"


def part(path: str, reference: str = "a", method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"method": method, "url": f"{ROOT}/{path}", "referenceId": reference, **more}


def query(soql: str, reference: str = "a") -> dict[str, Any]:
    return part(f"query?q={quote(soql)}", reference)


def answers(client: Client, *parts: dict[str, Any], **body: Any) -> Any:
    return client.call("POST", "composite", json={"compositeRequest": list(parts), **body})


def test_each_request_has_its_own_answer_and_the_call_counts_once(client: Client, org: SimulatedOrg) -> None:
    before = org.api_calls
    answer = answers(client, query("SELECT Id FROM Account LIMIT 1", "x"), query("SELECT Id FROM Nothing", "y"))
    assert answer.status_code == 200
    good, bad = answer.json()["compositeResponse"]
    assert (good["httpStatusCode"], good["referenceId"], good["body"]["totalSize"]) == (200, "x", 1)
    assert (bad["httpStatusCode"], bad["referenceId"], bad["body"][0]["errorCode"]) == (400, "y", "INVALID_TYPE")
    assert org.api_calls - before == 1


def test_records_can_be_written_by_it(client: Client, org: SimulatedOrg) -> None:
    body = {"records": [{"attributes": {"type": "Account"}, "Name": "Composite"}]}
    (made,) = answers(client, part("composite/sobjects", method="POST", body=body)).json()["compositeResponse"]
    assert made["body"][0]["success"]
    assert org.rows("Account")[-1]["Name"] == "Composite"


def test_five_queries_are_the_most(client: Client) -> None:
    assert answers(client, *[query("SELECT Id FROM Account LIMIT 1", f"q{n}") for n in range(5)]).status_code == 200
    refused = answers(client, *[query("SELECT Id FROM Account LIMIT 1", f"q{n}") for n in range(6)])
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert answers(client, *[part("limits", f"l{n}") for n in range(26)]).status_code == 400


def test_what_is_wrong_as_a_whole_is_refused(client: Client) -> None:
    assert answers(client).status_code == 400
    assert (
        answers(client, {"method": "GET", "url": "limits", "referenceId": "a"}).json()[0]["errorCode"]
        == "INVALID_INPUT"
    )
    assert answers(client, part("limits", "@{a}")).json()[0]["errorCode"] == "NOT_IN_SIMULATOR"
    assert answers(client, part("limits"), allOrNone=True).json()[0]["errorCode"] == "NOT_IN_SIMULATOR"


def test_what_is_not_there_is_an_answer_of_its_own(client: Client) -> None:
    (answer,) = answers(client, part("nothing")).json()["compositeResponse"]
    assert answer["httpStatusCode"] == 404
