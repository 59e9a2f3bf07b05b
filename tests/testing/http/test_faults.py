"""Each kind of fault happens, to the request that it is meant for, and then no more."""

from __future__ import annotations

import socket
import time

import pytest
import requests

from airflow_provider_sfjwt.testing import Fault

SOQL = "SELECT Id, Name FROM Account"


def test_a_status_instead_of_the_answer(org, api):
    org.add_fault(Fault(method="GET", path="*/limits", nth=2, times=2, status=503, body="busy", headers={"X-Why": "y"}))
    answers = [api.get("limits") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert (answers[1].text, answers[1].headers["X-Why"]) == ("busy", "y")
    assert org.api_calls == 2
    assert [logged.status for logged in org.requests] == [200, 503, 503, 200]


def test_a_page_in_place_of_a_token(org, claims, exchange):
    page = Fault(path="/services/oauth2/token", status=200, body="<html>", headers={"Content-Type": "text/html"})
    org.add_fault(page)
    assert exchange(claims).text == "<html>"
    assert exchange(claims).json()["token_type"] == "Bearer"
    assert org.logins == 1


def test_method_and_query_string_are_matched(org, api):
    org.add_fault(Fault(method="POST", status=500, times=None))
    org.add_fault(Fault(path="*fields=Name*", status=502))
    record = org.rows("Account")[0]["Id"]
    assert api.get(f"sobjects/Account/{record}").status_code == 200
    assert api.get(f"sobjects/Account/{record}?fields=Name").status_code == 502
    assert [api.create_job(SOQL).status_code for _ in range(3)] == [500] * 3
    org.clear_faults()
    assert api.create_job(SOQL).status_code == 200


def test_reset(org, api):
    org.add_fault(Fault(path="*/limits", reset=True))
    with socket.create_connection(("127.0.0.1", int(org.url.rpartition(":")[2])), timeout=30) as raw:
        raw.sendall(b"GET /services/data/v66.0/limits HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert org.requests[0].status == 0
    assert org.api_calls == 0
    assert api.get("limits").status_code == 200


def raw_answer(org, path: str) -> bytes:
    """Return everything that comes for one GET, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", int(org.url.rpartition(":")[2])), timeout=30) as raw:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {org.issue_session()}\r\n\r\n"
        raw.sendall(head.encode())
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_cut_in_the_middle_of_an_announced_body(org):
    org.add_fault(Fault(path="*/limits", cut_at=0.5))
    head, _, body = raw_answer(org, "/services/data/v66.0/limits").partition(b"\r\n\r\n")
    announced = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")).split()[1])
    assert 0 < len(body) == announced // 2


def test_cut_after_bytes_of_a_chunked_body(org, api):
    job_id = api.finished_job(SOQL)
    org.add_fault(Fault(path="*/results*", cut_after=20))
    head, _, body = raw_answer(org, f"/services/data/v66.0/jobs/query/{job_id}/results").partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body == b'14\r\n"Id","Name"\n"0015e00\r\n'


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_client_notices_every_cut(org, api, encoding):
    job_id = api.finished_job(SOQL)
    org.add_fault(Fault(path="*/results*", cut_at=0.5))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get(f"jobs/query/{job_id}/results", headers={"Accept-Encoding": encoding})
    assert api.get(f"jobs/query/{job_id}/results").status_code == 200


def test_sessions_die_just_before_the_request(org, api):
    org.add_fault(Fault(path="*/limits", nth=2, expire_session=True))
    assert [api.get("limits").status_code for _ in range(3)] == [200, 401, 401]
    api.session.headers["Authorization"] = f"Bearer {org.issue_session()}"
    assert api.get("limits").status_code == 200


def test_delay(org, api):
    org.add_fault(Fault(path="*/limits", delay=0.2))
    begun = time.monotonic()
    api.get("limits")
    assert time.monotonic() - begun >= 0.2


def test_a_stopping_org_does_not_wait_for_a_delay(org, api):
    org.add_fault(Fault(delay=3600))
    with pytest.raises(requests.exceptions.Timeout):
        api.session.get(f"{org.url}/services/data", timeout=0.05)


def test_a_lost_answer_is_a_processed_request(org, api):
    org.add_fault(Fault(method="POST", path="*/jobs/query", lose_answer=True))
    with pytest.raises(requests.exceptions.ConnectionError):
        api.create_job(SOQL)
    assert len(org.jobs) == 1


def test_edited_json(org, api):
    job_id = api.create_job(SOQL).json()["id"]
    org.add_fault(Fault(path=f"*/jobs/query/{job_id}", edit_json=lambda job: job | {"state": "Pondering"}))
    assert api.get(f"jobs/query/{job_id}").json()["state"] == "Pondering"
    assert api.get(f"jobs/query/{job_id}").json()["state"] == "JobComplete"


def test_edited_body_and_headers(org, api):
    job_id = api.finished_job(SOQL)

    def without_count(headers: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name != "Sforce-NumberOfRecords"}

    org.add_fault(Fault(path="*/results*", edit_headers=without_count))
    org.add_fault(Fault(path="*/results*", edit_body=lambda body: body + body))
    answer = api.get(f"jobs/query/{job_id}/results")
    whole = api.get(f"jobs/query/{job_id}/results")
    assert "Sforce-NumberOfRecords" not in answer.headers
    assert answer.content == whole.content * 2


def test_an_edit_leaves_errors_as_they_are(org, api):
    org.add_fault(Fault(path="*/query*", times=None, edit_json=lambda page: {**page, "done": "false"}))
    assert api.get(f"query?q={SOQL}").json()["done"] == "false"
    org.add_fault(Fault(expire_session=True))
    refused = api.get(f"query?q={SOQL}")  # a list, which has no page's keys
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
