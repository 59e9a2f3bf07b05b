"""``airflow-salesforce-jwt from-salesforce``: what becomes of a connection of the official type."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_sfjwt.doctor.official_connection import convert
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]
JWT = {"consumer_key": "3MVG9abc", "private_key": "the-secret-key"}


def printed_connection(out: str) -> tuple[str, dict[str, Any]]:
    """The id and the fields of the connection that was printed for ``airflow connections import``."""
    ((conn_id, fields),) = json.loads(out).items()
    return conn_id, fields


def converted(extra: dict[str, Any], password: str | None = None, login: str | None = "user@acme.com") -> Any:
    return convert(login=login, password=password, extra=json.dumps(extra))


def test_a_key_connection_signs_in_afterwards(
    airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"consumer_key": org.consumer_key, "private_key": org.private_key, "version": "v62.0"}
    old = {"conn_type": "salesforce", "login": org.username, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OLD", json.dumps(old))
    done = airflow("from-salesforce", "old", "--show-secrets")
    assert done.code == 0
    assert "connections import" in done.err
    assert "connections add" not in done.err  # Airflow's audit log keeps it, the key included
    conn_id, fields = printed_connection(done.out)
    assert conn_id == "old_jwt"
    monkeypatch.setenv("AIRFLOW_CONN_OLD_JWT", json.dumps(fields | {"host": org.url}))
    assert airflow("check", "old_jwt").code == 0
    assert "API 62.0 is used" in airflow("check", "old_jwt").out


def test_secrets_are_shown_only_when_asked_for(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "security_token": "canary-token",
        "consumer_secret": "canary-secret",
        "extra__salesforce__private_key": "canary-key",
        "extra__salesforce__consumer_key": "3MVG9abc",
        "proxies": '{"http": "http://a:1", "https": "http://u:canary-pw@proxy:3128"}',
    }
    old = {"conn_type": "salesforce", "login": "user@acme.com", "password": "canary-password", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OLD", json.dumps(old))
    done = airflow("from-salesforce", "old", "--new-conn-id", "my new one")
    assert done.code == 0
    assert "canary" not in done.out + done.err
    conn_id, fields = printed_connection(done.out)
    assert conn_id == "my new one"
    assert fields["extra"] == {
        "consumer_key": "3MVG9abc",
        "private_key": "<paste the private key>",
        "proxy": "<address of the proxy>",
    }
    shown = printed_connection(airflow("from-salesforce", "old", "--show-secrets").out)[1]["extra"]
    assert shown == {"consumer_key": "3MVG9abc", "private_key": "canary-key", "proxy": "http://u:canary-pw@proxy:3128"}


def test_a_connection_of_another_type_is_refused(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEB", '{"conn_type": "http"}')
    assert "is of the type 'http', not 'salesforce'." in airflow("from-salesforce", "web").err


@pytest.mark.parametrize("extra", ["{", "[]"])
def test_extras_that_are_no_object(extra: str) -> None:
    with pytest.raises(ValueError, match="Extra: is"):
        convert(login=None, password=None, extra=extra)


@pytest.mark.parametrize(
    ("extra", "host"),
    [
        ({}, "https://login.salesforce.com"),
        ({"domain": "test"}, "https://test.salesforce.com"),
        ({"domain": "acme.my"}, "https://acme.my.salesforce.com"),
        ({"domain": "https://acme.my.salesforce.com/"}, "https://acme.my.salesforce.com"),
        ({"extra__salesforce__domain": "test"}, "https://test.salesforce.com"),
        ({"instance_url": "https://acme.my.salesforce.com/"}, "https://acme.my.salesforce.com"),
        ({"instance": "acme--dev.sandbox.my.salesforce.com"}, "https://acme--dev.sandbox.my.salesforce.com"),
        ({"instance": "na1.salesforce.com"}, "https://login.salesforce.com"),
        ({"domain": "test", "instance": "na1.salesforce.com"}, "https://test.salesforce.com"),
        ({"domain": "login", "instance_url": "govcloudorg.my"}, "https://govcloudorg.my.salesforce.com"),
        ({"domain": "login", "instance_url": "na1"}, "https://na1.salesforce.com"),
        ({"instance_url": "acme.my.salesforce.com"}, "https://acme.my.salesforce.com"),
        (
            {"instance_url": "https://acme--uat.sandbox.lightning.force.com/lightning"},
            "https://acme--uat.sandbox.my.salesforce.com",
        ),
        ({"domain": "https://acme.my.salesforce.com/services"}, "https://acme.my.salesforce.com"),
        ({"domain": "'test'"}, "https://test.salesforce.com"),
        ({"domain": "acme.my.salesforce.mil"}, "https://acme.my.salesforce.mil"),
    ],
)
def test_the_login_url(extra: dict[str, Any], host: str) -> None:
    assert converted(JWT | extra).fields["host"] == host


@pytest.mark.parametrize(
    ("extra", "audience"),
    [
        ({}, None),
        ({"domain": "test"}, None),
        ({"domain": "login", "instance_url": "govcloudorg.my"}, "https://login.salesforce.com"),
        ({"domain": "test", "instance_url": "acme--uat.sandbox.my"}, "https://test.salesforce.com"),
        ({"domain": "test", "instance_url": "acme.my"}, "https://test.salesforce.com"),
        ({"domain": "acme.my"}, "https://acme.my.salesforce.com"),
    ],
)
def test_the_audience_is_the_one_that_the_official_hook_claims(extra: dict[str, Any], audience: str | None) -> None:
    assert converted(JWT | extra).fields["extra"].get("audience") == audience


def test_the_audience_of_another_way_of_signing_in_is_not_carried_over() -> None:
    password = {"consumer_key": "k", "consumer_secret": "s", "domain": "acme.my"}
    assert "audience" not in converted(password, "p").fields["extra"]


@pytest.mark.parametrize(
    ("extra", "carried"),
    [
        ({"version": "v62.0"}, {"api_version": "62.0"}),
        ({"version": 62.0}, {"api_version": "62.0"}),
        ({"version": "newest"}, {}),
        ({"proxies": {"https": "http://p:1"}}, {"proxy": "http://p:1"}),
        ({"proxies": "{'http': 'http://a:1', 'https': 'http://p:1'}"}, {"proxy": "http://p:1"}),
        ({"proxies": "http://p:1"}, {"proxy": "http://p:1"}),
        ({"proxies": "p:1"}, {}),
        ({"private_key": None, "private_key_file_path": "/keys/sf.pem"}, {"key_file": "/keys/sf.pem"}),
    ],
)
def test_what_is_carried_over(extra: dict[str, Any], carried: dict[str, Any]) -> None:
    done = converted(JWT | extra)
    expected = ({"private_key": "the-secret-key"} if "private_key" not in extra else {}) | carried
    assert done.fields["extra"] == {"consumer_key": "3MVG9abc"} | expected
    if not carried:
        assert any("API Version 'newest'" in note or "Proxies holds no" in note for note in done.notes)


@pytest.mark.parametrize(
    ("extra", "password", "way", "end"),
    [
        (JWT, None, "OAuth with a JWT bearer assertion", ""),
        (JWT | {"security_token": "t"}, "p", "SOAP login() with password and security token", "Summer '27"),
        (
            {"security_token": "t", "version": "66.0"},
            "p",
            "SOAP login()",
            "with the API Version set here it fails already",
        ),
        ({"organization_id": "00D"}, "p", "SOAP login() with password and organization id", "Summer '27"),
        ({"consumer_key": "k", "consumer_secret": "s"}, "p", "OAuth with username and password", "Winter '27"),
        ({"consumer_key": "k", "consumer_secret": "s", "domain": "acme.my"}, None, "client credentials", ""),
        ({}, None, "none: fields are missing", ""),
    ],
)
def test_how_it_signs_in_and_when_that_ends(extra: dict[str, Any], password: str | None, way: str, end: str) -> None:
    done = converted(extra, password)
    assert way in done.sign_in
    assert end in done.ends
    assert bool(end) is bool(done.ends)
    assert not done.ends or "help.salesforce.com" in done.ends


def test_what_is_left_behind_or_missing_is_said() -> None:
    names = (
        "security_token",
        "consumer_secret",
        "client_id",
        "organization_id",
        "private_key_file_path",
        "instance_url",
    )
    notes = "\n".join(converted(JWT | dict.fromkeys(names, "x"), "pw").notes)
    for said in (
        "Security Token",
        "Consumer Secret",
        "Client ID",
        "Organization ID",
        "has a key and the path",
        "Instance URL",
        "user's password",
    ):
        assert said in notes
    bare = converted({}, login=None)
    assert "It has no key" in "\n".join(bare.notes)
    assert "It has no Consumer key" in "\n".join(bare.notes)
    assert bare.fields["login"].startswith("<")
    assert "the-secret-key" not in repr(converted(JWT))
