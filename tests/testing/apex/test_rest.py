from __future__ import annotations

import requests

from airflow_provider_sfjwt.testing import ApexError, ApexRequest, SimulatedOrg

ROOT = "/services/apexrest"


def test_a_method_gets_the_request_and_answers_with_json(org: SimulatedOrg, api) -> None:
    seen: list[ApexRequest] = []

    def post(request: ApexRequest) -> object:
        seen.append(request)
        return {"accepted": len(request.body)}

    org.apex_rest("POST", "/invoices/*", post)

    answer = api.call("POST", f"{ROOT}/invoices/v%201?dry=true", json=[1, 2], headers={"X-Trace": "t"})

    assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
    assert (seen[0].method, seen[0].path, seen[0].query, seen[0].body) == (
        "POST",
        "/invoices/v 1",
        {"dry": "true"},
        [1, 2],
    )
    assert seen[0].headers["x-trace"] == "t"
    assert "authorization" not in seen[0].headers


def test_an_answer_may_be_a_value_another_status_or_nothing(org: SimulatedOrg, api) -> None:
    org.apex_rest("GET", "state", "open")
    org.apex_rest("PUT", "state", {"id": 1}, status=201)
    org.apex_rest("DELETE", "state", None)
    assert api.get(f"{ROOT}/state").json() == "open"
    assert (api.call("PUT", f"{ROOT}/state").status_code, api.call("PUT", f"{ROOT}/state").json()) == (201, {"id": 1})
    assert api.call("DELETE", f"{ROOT}/state").content == b""
    org.apex_rest("GET", "state", "closed")
    assert api.get(f"{ROOT}/state").json() == "closed"


def test_what_an_apex_method_does_not_catch_is_an_error_of_the_server(org: SimulatedOrg, api) -> None:
    def fail(request: ApexRequest) -> object:
        raise ApexError("System.DmlException: Insert failed")

    org.apex_rest("POST", "fail", fail)
    answer = api.call("POST", f"{ROOT}/fail")
    assert answer.status_code == 500
    assert answer.json() == [{"message": "System.DmlException: Insert failed", "errorCode": "APEX_ERROR"}]


def test_the_gates_are_those_of_the_data_apis(org: SimulatedOrg, api) -> None:
    org.apex_rest("GET", "state", "open")
    assert requests.get(f"{org.url}{ROOT}/state", timeout=30).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    unknown = api.get(f"{ROOT}/other")
    assert (unknown.status_code, unknown.json()[0]["message"]) == (404, "Could not find a match for URL")
    assert api.call("POST", f"{ROOT}/state").status_code == 404
    before = org.api_calls
    api.get(f"{ROOT}/state")
    assert org.api_calls == before + 1
    org.api_calls = org.daily_api_requests
    assert api.get(f"{ROOT}/state").json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
