"""What of a request, an answer and a step can be seen."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_sfjwt.salesforce.wire.flow import Renew, Request, Response
from airflow_provider_sfjwt.salesforce.wire.redact import bounded, describe_request, host_of

SECRET = "s3cr3t-of-ours"
REQUEST = Request(
    "POST", f"https://acme.example.com/a/b?code={SECRET}", {"Authorization": f"Bearer {SECRET}"}, SECRET.encode()
)
ANSWER = Response(200, {"set-cookie": SECRET}, SECRET.encode())


@pytest.mark.parametrize(
    ("thing", "shown"),
    [
        (REQUEST, "Request(POST https://acme.example.com/a/b)"),
        (ANSWER, "Response(200, 14 bytes)"),
    ],
)
def test_requests_and_answers_show_no_secret_and_cannot_be_saved(thing: object, shown: str) -> None:
    assert repr(thing) == str(thing) == shown
    for save in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never serialized"):
            save(thing)


def test_a_renewal_does_not_show_its_session() -> None:
    assert SECRET not in repr(Renew(SECRET))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://acme.example.com/services/data/", "GET acme.example.com/services/data/"),
        ("https://u:p@127.0.0.1:8765/x", "GET 127.0.0.1:8765/x"),
        (f"https://a.example.com/x?token={SECRET}&locator=MTAw", "GET a.example.com/x?token=…&locator=MTAw"),
        ("https://a.example.com/q?q=SELECT+Id%0A++FROM+Account", "GET a.example.com/q?q=SELECT Id FROM Account"),
        ("https://a.example.com/q?q=" + 500 * "x", "GET a.example.com/q?q=" + 200 * "x" + "…"),
    ],
)
def test_a_request_is_described_without_its_secrets(url: str, shown: str) -> None:
    assert describe_request(Request("GET", url, {"Authorization": SECRET}, SECRET.encode())) == shown


def test_a_host_is_told_without_its_user() -> None:
    assert host_of("http://user:pass@proxy.example.com:3128/") == "proxy.example.com:3128"


def test_a_long_answer_is_shown_by_its_beginning_and_its_end() -> None:
    assert bounded("x" * 4_000) == "x" * 4_000
    assert bounded("a" * 5_000 + "b" * 5_000) == f"{'a' * 2_000} … (10,000 characters) … {'b' * 2_000}"
