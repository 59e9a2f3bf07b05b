"""What people reported about signing in: an input of each kind, its siblings, and what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_sfjwt.exceptions import AuthenticationError, ConfigurationError, TransportError
from airflow_provider_sfjwt.hooks.connection_text import fault_of_text
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.reports.signing_in.connections import DOCS, LOGIN, TOKEN, findings, hook_for, text
from tests.salesforce.wire.local_server import LocalServer
from tests.salesforce.wire.tls_certificates import DAY, NOW, Authority, new_key, server_file

# -- S1: advice that leaks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["connection.md", "secrets_backends.md"])
def test_S1_advice_to_log_at_debug_comes_with_a_warning(page: str) -> None:
    advice = [each for each in (DOCS / page).read_text(encoding="utf-8").split("\n\n") if "DEBUG" in each]
    assert advice
    assert all("key included" in each and "make a new key" in " ".join(each.split()) for each in advice)


# -- S2: refusals that pass ----------------------------------------------------------------------------------------------

PASSING = [
    (400, {"error": "unknown_error", "error_description": "retry your request"}),
    (400, {"error": "server_error", "error_description": "unexpected"}),
    (400, {"error": "temporarily_unavailable"}),
    (400, {"error": "invalid_grant", "error_description": "Service is temporarily unavailable, please try again"}),
    (400, {"error": "invalid_request", "error_description": "We are down for maintenance"}),
    (400, {"error": "invalid_grant", "error_description": "unable to obtain exclusive access to this record"}),
    (400, [{"errorCode": "SERVER_UNAVAILABLE", "message": "try later"}]),
    (500, {"error": "brand_new", "error_description": "never heard of"}),
    (500, {"error": "invalid_grant", "error_description": "authentication failure"}),
    (502, "Bad Gateway"),
    (503, []),
    (504, {}),
    (520, "<html><title>Web server is returning an unknown error</title></html>"),
    (408, ""),
    (420, "slow down"),
    (429, {"error": "rate"}),
]


@pytest.mark.parametrize(("status", "body"), PASSING)
def test_S2_passing_refusal_is_repeated(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)
    org.add_fault(Fault(path=TOKEN, status=status, body=sent))
    with hook_for(monkeypatch, org.connection_json()).connect() as connected:
        assert connected.token().value
    assert sum(request.path == TOKEN for request in org.requests) == 2


@pytest.mark.parametrize(("status", "body"), PASSING)
def test_S2_passing_refusal_that_lasts_is_retried_by_airflow(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)
    org.add_fault(Fault(path=TOKEN, status=status, body=sent, times=None))
    with (
        hook_for(monkeypatch, org.connection_json()).connect() as connected,
        pytest.raises(AuthenticationError) as caught,
    ):
        connected.token()
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("code", "description"),
    [
        ("invalid_grant", "audience is invalid"),
        ("invalid_client_id", "client identifier invalid"),
        ("new", "never heard"),
    ],
)
def test_S2_refusal_that_stays_is_final(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, code: str, description: str
) -> None:
    body = json.dumps({"error": code, "error_description": description})
    org.add_fault(Fault(path=TOKEN, status=400, body=body, times=None))
    with (
        hook_for(monkeypatch, org.connection_json()).connect() as connected,
        pytest.raises(AuthenticationError) as caught,
    ):
        connected.token()
    assert not caught.value.retryable
    assert sum(request.path == TOKEN for request in org.requests) == 1


# -- S4: what Airflow cannot read ----------------------------------------------------------------------------------------

SECRET = "s3cr3t-k3y-material"
FIELDS = {
    "conn_type": "salesforce_jwt",
    "login": "u@acme.com",
    "host": LOGIN,
    "extra": {"consumer_key": "3MVG9abc", "private_key": SECRET},
}
GOOD = json.dumps(FIELDS)
URI = f"salesforce-jwt://u%40acme.com@login.salesforce.com/?consumer_key=k&private_key={SECRET}"
UNREADABLE = {
    "underscore in the scheme": (URI.replace("-jwt", "_jwt", 1), "underscore", "line 1, column 11"),
    "byte order mark": ("\ufeff" + GOOD, "byte order mark", "line 1, column 1"),
    "raw line break": (GOOD.replace(SECRET, f"{SECRET}\n{SECRET}"), "raw line break", "line 1, column "),
    "raw tab": (GOOD.replace(SECRET, f"{SECRET}\t{SECRET}"), "raw line break or tab", "line 1, column "),
    "extra encoded twice": (
        json.dumps(FIELDS | {"extra": json.dumps(json.dumps(FIELDS["extra"]))}), "encoded twice", "once",
    ),
    "extra with single quotes": (
        json.dumps(FIELDS | {"extra": str(FIELDS["extra"])}), "double quotes", "in extra: line 1, column 2",
    ),
    "extra as a list": (json.dumps(FIELDS | {"extra": [SECRET]}), "extra that is not an object", ""),
    "single quotes": (str(FIELDS), "double quotes", "line 1, column 2"),
    "typographic quotes": (GOOD.replace('"', "”"), "double quotes", "line 1, column 2"),
    "quotes around it": (f"'{GOOD}'", "stands in quotes", "line 1, column 1"),
    "quotes around the URI": (f'"{URI}"', "stands in quotes", "line 1, column 1"),
    "comma before the end": (GOOD[:-1] + ",}", "comma stands before }", "line 1, column "),
    "cut off": (GOOD[:-1], "cut off", f"line 1, column {len(GOOD)}"),
    "cut off inside a string": (GOOD[: GOOD.index(SECRET) + 5], "a string that begins here has no end", "line 1"),
    "something after it": (GOOD + GOOD, "after the closing }", f"line 1, column {len(GOOD) + 1}"),
    "Python's None": (GOOD.replace('"u@acme.com"', "None"), "true, false and null", "line 1, column "),
    "a missing colon": (GOOD.replace(": ", " ", 1), "is not JSON", "line 1, column "),
    "a field beside conn_type": (json.dumps(FIELDS | {"consumer_key": "k"}), "'consumer_key' beside conn_type", "extra"),
    "a port that is a word": (json.dumps(FIELDS | {"port": "https"}), "port that is not a whole number", ""),
    "a list": (f"[{GOOD}]", "not an object", "line 1, column 1"),
    "neither": (SECRET, "neither JSON nor a URI", "line 1, column 1"),
    "a path": ("/run/secrets/connection.json", "neither JSON nor a URI", "line 1, column 1"),
    "https behind the user": (URI.replace("@", "@https://", 1), "https:// after the user", ""),
    "three ://": (URI.replace("@", "@https://", 1) + "&audience=https://x", "more than two ://", ""),
    "blanks": ("   ", "is empty", ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_S4_text_that_airflow_cannot_read(kind: str) -> None:
    entered, said, where = UNREADABLE[kind]
    fault = fault_of_text(entered)
    assert fault is not None
    assert said in fault
    assert where in fault
    assert SECRET not in fault


# Of an extra that is encoded twice, tasks read both codings; Airflow's commands read none.
@pytest.mark.parametrize("kind", [kind for kind in UNREADABLE if kind != "extra encoded twice"])
def test_S4_connection_that_airflow_cannot_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, said, where = UNREADABLE[kind]
    hook = hook_for(monkeypatch, entered, "unread")
    with pytest.raises(ConfigurationError) as caught:
        _ = hook.settings
    message = str(caught.value)
    assert message.startswith("connection 'unread': Connection: Airflow cannot read this connection")
    assert "the environment variable AIRFLOW_CONN_UNREAD" in message
    assert said in message
    assert where in message
    assert "JSON must begin with {, a URI with salesforce-jwt://" in message
    assert SECRET not in message


async def test_S4_the_triggerer_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = hook_for(monkeypatch, UNREADABLE["single quotes"][0], "unread")
    with pytest.raises(ConfigurationError, match="Airflow cannot read this connection"):
        async with hook.aconnect():
            pass


def test_S4_a_connection_that_is_not_there_may_be_one_that_cannot_be_read() -> None:
    with pytest.raises(AirflowNotFoundException, match="or Airflow cannot read it: JSON must begin with {"):
        _ = SalesforceJwtHook("nowhere").settings


@pytest.mark.parametrize(
    "entered", [GOOD, "\n " + GOOD, URI, json.dumps(FIELDS | {"extra": json.dumps(FIELDS["extra"])})]
)
def test_S4_what_airflow_reads_has_no_fault(entered: str) -> None:
    assert fault_of_text(entered) is None


class OfAirflow:
    """A connection as a secrets backend delivered it."""

    conn_type, login, host, password, port = "", None, "", None, None
    extra = '{"consumer_key": "k"}'


def test_S4_a_uri_with_an_underscore_in_any_backend_is_recognised() -> None:
    from airflow_provider_sfjwt.hooks.connections import connection_settings

    with pytest.raises(ConfigurationError) as caught:
        connection_settings(Secret(OfAirflow()), "from_a_vault")
    assert list(caught.value.fields) == ["Connection"]
    assert "a URI with salesforce-jwt://, with a hyphen" in caught.value.fields["Connection"]


# -- S5: proxies of the environment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxy", "code"),
    [
        ("http://proxy.invalid:3128", "unknown_host"),
        ("socks5://127.0.0.1:1080", "unusable_proxy"),
        ("http://127.0.0.1:99999", "unusable_proxy"),
        ("http://127.0.0.1:9", "refused"),
    ],
)
@pytest.mark.parametrize("way", ["worker", "triggerer"])
async def test_S5_proxy_of_the_environment(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, proxy: str, code: str, way: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    hook = hook_for(monkeypatch, text(org, host="https://acme.my.salesforce.com"))
    with pytest.raises(TransportError) as caught:
        if way == "worker":
            with hook.connect() as connected:
                connected.token()
        else:
            async with hook.aconnect() as connected_async:
                from airflow_provider_sfjwt.salesforce.api.org import limits

                await connected_async.run(limits)
    assert caught.value.code == code
    assert "HTTPS_PROXY of the environment" in str(caught.value)
    assert proxy.partition("://")[2] in str(caught.value)
    assert "localhost" not in str(caught.value)


# -- S6: TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "cause", "advice"),
    [
        ({"end": NOW - DAY}, "has expired", "renew"),
        ({"begin": NOW + DAY}, "is not valid yet", "NTP"),
        ({"address": "127.0.0.9"}, "is made out to another host name", "another server answers"),
        ({}, "of an authority that is not trusted here", "CA bundle"),
    ],
    ids=["expired", "not yet valid", "other host", "unknown authority"],
)
def test_S6_what_is_wrong_with_a_certificate_is_said(
    org: SimulatedOrg, authority: Authority, tmp_path: Path, made: dict[str, Any], cause: str, advice: str
) -> None:
    file = server_file(tmp_path, new_key(), authority, **made)
    extra = {"ca_bundle": str(authority.file)} if made else {}
    with LocalServer(file) as server:
        found = findings(org, extra, host=server.url)[-1]
    assert (found.name, found.mark) == ("host", "failed")
    assert cause in found.detail
    assert advice in found.remedy
    assert ("CA bundle" in found.remedy) is not bool(made)
