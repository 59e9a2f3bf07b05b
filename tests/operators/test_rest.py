from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError, TransportError
from airflow_provider_sfjwt.operators.rest import SalesforceApexRestOperator, SalesforceRestOperator
from airflow_provider_sfjwt.testing import ApexError, ApexRequest, Fault, SimulatedOrg


def rest(path: str, **arguments: Any) -> Any:
    return SalesforceRestOperator(task_id="rest", path=path, **arguments).execute({})


def apex(path: str, **arguments: Any) -> Any:
    return SalesforceApexRestOperator(task_id="apex", path=path, **arguments).execute({})


def calls(org: SimulatedOrg, part: str) -> int:
    return sum(part in request.path for request in org.requests)


def echo(request: ApexRequest) -> Any:
    return [request.method, request.path, dict(request.query), request.headers.get("x-trace"), request.body]


def test_any_resource_is_called_by_a_part_of_its_path_a_whole_path_or_a_url_of_the_org(org: SimulatedOrg) -> None:
    part = rest("limits")
    assert part["DailyApiRequests"]["Max"] == 100_000
    for path in ("/services/data/v66.0/limits", f"{org.url}/services/data/v66.0/limits?"):
        assert rest(path).keys() == part.keys()


def test_query_headers_and_payload_arrive(org: SimulatedOrg) -> None:
    org.apex_rest("PATCH", "*", echo)
    path, query = "/services/apexrest/a/b%20c?x=1", {"flag": True, "n": 2, "no": None}
    sent = {"path": path, "query": query, "headers": {"X-Trace": "t"}, "method": "patch"}
    expected = ["PATCH", "/a/b c", {"x": "1", "flag": "true", "n": "2"}, "t", {"k": ["ü"]}]
    assert rest(**sent, payload={"k": ["ü"]}) == expected
    assert rest(**sent, payload='{"k": ["ü"]}') == expected


@pytest.mark.parametrize(
    "path", ["https://evil.example.com/services/data", "//evil.example.com/x", "https://u@evil.io/"]
)
def test_the_token_goes_to_the_connections_org_alone(org: SimulatedOrg, path: str) -> None:
    with pytest.raises(AirflowFailException, match=r"path: is a URL of .*evil.* this connection's token is for http"):
        rest(path)
    assert calls(org, "services/data") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": ""}, "path: is empty"),
        ({"path": "a b"}, "path: holds spaces"),
        ({"path": "a\r\nX: y"}, "path: holds spaces, control characters"),
        ({"method": "TRACE"}, "method: 'TRACE' is not one of GET, HEAD, POST"),
        ({"query": "a=b"}, "query: must be a dict"),
        ({"query": {"a": [1]}}, "query: a: must be text"),
        ({"payload": "{"}, "payload: is not JSON"),
        ({"payload": {"a": float("nan")}}, "payload: is not JSON"),
        ({"payload": object()}, "payload: is not JSON"),
        ({"headers": {"authorization": "Bearer x"}}, "headers: authorization is written by the connection"),
        ({"headers": {"Host": "evil.example.com"}}, "headers: Host is written by the connection"),
        ({"headers": {"X": "a\nb"}}, "headers: X: must be text without line breaks"),
        ({"headers": {"X Y": "a"}}, "headers: 'X Y' is not the name"),
        ({"idempotent": "yes"}, "idempotent: must be True or False"),
        ({"response_check": True}, "response_check: must be a function"),
        ({"response_filter": "answer"}, "response_filter: must be a function"),
        ({"max_result_bytes": 0}, "max_result_bytes: must be at least 1"),
        ({"salesforce_conn_id": "None"}, "salesforce_conn_id: is the text 'None'"),
        ({"api_version": "x"}, "api_version: 'x' is not an API version"),
    ],
)
def test_arguments_of_another_kind_are_named(org: SimulatedOrg, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        rest(**{"path": "limits", **arguments})
    assert not org.requests


def test_all_faults_are_named_at_once(org: SimulatedOrg) -> None:
    with pytest.raises(AirflowFailException, match=r"(?s)path: .*method: .*max_result_bytes: "):
        rest("", method="no", max_result_bytes=-1)


def test_a_result_is_bounded_and_never_cut_short(org: SimulatedOrg) -> None:
    org.apex_rest("GET", "many", ["x" * 8] * 100)
    assert len(apex("many", max_result_bytes=1200)) == 100
    with pytest.raises(
        AirflowFailException, match=r"max_result_bytes: the call succeeded, .* 1,200 bytes, where 1,199"
    ):
        apex("many", max_result_bytes=1199)
    assert apex("many", max_result_bytes=3, response_filter=len) == 100
    assert apex("many", max_result_bytes=1, do_xcom_push=False) is None


def test_a_check_judges_the_answer(org: SimulatedOrg) -> None:
    assert rest("limits", response_check=lambda answer: "DailyApiRequests" in answer)
    with pytest.raises(AirflowFailException, match="response_check did not accept the answer to POST /services/apex"):
        org.apex_rest("POST", "x", {"ok": False})
        apex("x", method="POST", response_check=lambda answer: answer["ok"])
    # A GET may be asked again: Airflow retries the task.
    with pytest.raises(ProtocolError, match="response_check did not accept"):
        rest("limits", response_check=lambda answer: False)


def test_records_that_were_refused_fail_the_task(org: SimulatedOrg) -> None:
    records = [{"attributes": {"type": "Account"}, "Name": "new"}, {"attributes": {"type": "Account"}, "Name": None}]
    call = {"path": "composite/sobjects", "method": "POST", "payload": {"records": records}}
    with pytest.raises(AirflowFailException, match=r"reports 1 failed part\(s\): REQUIRED_FIELD_MISSING") as caught:
        rest(**call)
    error = caught.value.__context__
    assert isinstance(error, ApiError)
    assert (error.status, [item.code for item in error.items]) == (200, ["REQUIRED_FIELD_MISSING"])
    answer = rest(**call, response_check=lambda answer: True)
    assert [each["success"] for each in answer] == [True, False]


def lost_answer(org: SimulatedOrg, method: str) -> None:
    org.apex_rest(method, "*", "done")
    org.add_fault(Fault(method, "/services/apexrest/*", lose_answer=True))


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_what_may_have_been_processed_is_not_sent_again(org: SimulatedOrg, method: str) -> None:
    lost_answer(org, method)
    with pytest.raises(AirflowFailException, match=f"unknown whether Salesforce processed this {method}") as caught:
        apex("x", method=method)
    assert isinstance(caught.value.__context__, TransportError)
    assert calls(org, "apexrest") == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_so_is_what_ended_in_an_error_of_the_server(org: SimulatedOrg, status: int) -> None:
    org.add_fault(Fault("POST", "/services/apexrest/*", status=status))
    with pytest.raises(AirflowFailException, match="not sent again"):
        apex("x", method="POST")
    assert calls(org, "apexrest") == 1


def test_not_now_is_believed_to_salesforce_alone(org: SimulatedOrg) -> None:
    org.apex_rest("POST", "x", "done")
    busy = b'[{"errorCode": "SERVER_UNAVAILABLE", "message": "busy"}]'
    org.add_fault(Fault("POST", "/services/apexrest/*", status=503, body=busy))
    assert apex("x", method="POST") == "done"
    org.add_fault(Fault("POST", "/services/apexrest/*", status=503, body=b"<html><title>Proxy</title></html>"))
    with pytest.raises(AirflowFailException, match="not sent again"):
        apex("x", method="POST")


@pytest.mark.parametrize(
    "arguments", [{}, {"method": "POST", "idempotent": True}, {"method": "DELETE", "idempotent": True}]
)
def test_what_is_safe_is_sent_again(org: SimulatedOrg, arguments: dict[str, Any]) -> None:
    lost_answer(org, arguments.get("method", "GET"))
    assert apex("x", **arguments) == "done"
    assert calls(org, "apexrest") == 2


def test_an_author_may_forbid_to_repeat_a_get(org: SimulatedOrg) -> None:
    lost_answer(org, "GET")
    with pytest.raises(AirflowFailException, match="not sent again"):
        apex("x", idempotent=False)


def test_an_expired_session_is_renewed_for_a_post_too(org: SimulatedOrg) -> None:
    org.apex_rest("POST", "x", "done")
    org.add_fault(Fault("POST", "/services/apexrest/*", expire_session=True))
    assert apex("x", method="POST") == "done"


def test_apex_rest_takes_what_follows_its_root(org: SimulatedOrg) -> None:
    org.apex_rest("GET", "*", echo)
    for path in ("ns/invoices/7", "/ns/invoices/7", "/services/apexrest/ns/invoices/7"):
        assert apex(path)[1] == "/ns/invoices/7"
    for path in ("https://evil.example.com/x", "//evil.example.com/x"):
        with pytest.raises(AirflowFailException, match="path: .* is not the path of an Apex REST method"):
            apex(path)


def test_what_apex_does_not_catch_is_told(org: SimulatedOrg) -> None:
    def fail(request: ApexRequest) -> Any:
        raise ApexError("System.NullPointerException: Attempt to de-reference a null object")

    org.apex_rest("POST", "x", fail)
    with pytest.raises(AirflowFailException, match="APEX_ERROR: System.NullPointerException"):
        apex("x", method="POST")
    with pytest.raises(AirflowFailException, match="NOT_FOUND: Could not find a match for URL"):
        apex("nobody")


def test_an_apex_answer_may_say_anything(org: SimulatedOrg) -> None:
    org.apex_rest("GET", "x", [{"success": False}])
    assert apex("x") == [{"success": False}]
    org.apex_rest("GET", "nothing", None)
    assert apex("nothing") is None
    org.add_fault(
        Fault(path="*/csv", status=200, body="a,ü".encode(), headers={"Content-Type": "text/csv; charset=UTF-8"})
    )
    assert apex("csv") == "a,ü"
    org.add_fault(Fault(path="*/page", status=200, body=b"<html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(AirflowFailException, match="text/html where JSON was expected"):
        apex("page")


def test_templates_reach_every_argument_that_may_differ_from_run_to_run() -> None:
    operator = SalesforceApexRestOperator(
        task_id="apex",
        path="invoices/{{ n }}",
        method="{{ 'POST' }}",
        query={"day": "{{ n }}"},
        payload={"n": ["{{ n }}"]},
        headers={"X-N": "{{ n }}"},
        salesforce_conn_id="conn_{{ n }}",
    )
    operator.render_template_fields({"n": "7"})
    assert (operator.path, operator.method, operator.query) == ("invoices/7", "POST", {"day": "7"})
    assert (operator.payload, operator.headers) == ({"n": ["7"]}, {"X-N": "7"})
    assert operator.salesforce_conn_id == "conn_7"
