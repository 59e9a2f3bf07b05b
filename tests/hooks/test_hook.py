from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_sfjwt.exceptions import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
)
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.org import describe
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.testing.oauth.certificates import private_pem


def connection(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, extra: dict[str, Any] | None = None, **fields: Any
) -> None:
    content = json.loads(org.connection_json())
    content |= fields
    content["extra"] |= extra or {}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(content))


def test_query_pages_lazily(org: SimulatedOrg) -> None:
    rows = SalesforceJwtHook().query("SELECT Id FROM Account")
    next(rows)
    assert len([request for request in org.requests if "/query" in request.path]) == 1
    assert len(list(rows)) == 24
    assert len([request for request in org.requests if "/query" in request.path]) == 3


def test_a_query_that_loses_a_page_fails(org: SimulatedOrg) -> None:
    def last_page_too_early(page: dict[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in page.items() if name != "nextRecordsUrl"} | {"done": True}

    org.add_fault(Fault(path="*/query/*", edit_json=last_page_too_early))
    with pytest.raises(ProtocolError, match="brought 20 rows where Salesforce counted 25"):
        list(SalesforceJwtHook().query("SELECT Id FROM Account"))


def test_describe_limits_and_request(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    assert hook.describe("account")["name"] == "Account"
    assert hook.limits()["DailyApiRequests"]["Max"] == 100_000
    assert hook.request("GET", "limits") == hook.request("get", "/services/data/v67.0/limits") | {
        "DailyApiRequests": hook.limits()["DailyApiRequests"] | {"Remaining": 100_000 - org.api_calls + 2}
    }
    with pytest.raises(NotFoundError):
        hook.request("GET", "no/such/thing")
    with pytest.raises(ConfigurationError, match="'Nope__c' does not exist"):
        hook.describe("Nope__c")


def test_one_hook_signs_in_once(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    list(hook.query("SELECT Id FROM Account"))
    hook.limits()
    hook.get_conn().query("SELECT Id FROM Account")
    assert org.logins == 1


@pytest.mark.parametrize(
    ("extra", "given", "used"),
    [({}, None, "67.0"), ({"api_version": 60.0}, None, "60.0"), ({"api_version": "v61"}, "59.0", "59.0")],
)
def test_the_api_version_is_the_hooks_the_connections_or_the_newest_known(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, extra: dict[str, Any], given: str | None, used: str
) -> None:
    connection(monkeypatch, org, extra)
    SalesforceJwtHook(api_version=given).limits()
    assert org.requests[-1].path == f"/services/data/v{used}/limits"


@pytest.mark.parametrize(("given", "used"), [("66", "66.0"), ("v66.0", "66.0"), (66, "66.0"), ("", None), (None, None)])
def test_the_api_version_is_read_as_the_connections_is(given: Any, used: str | None) -> None:
    assert SalesforceJwtHook(api_version=given).api_version == used


@pytest.mark.parametrize("given", ["abc", "None", "66.5", True])
def test_an_api_version_that_is_none_is_named(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"api_version: '{given}' is not an API version"):
        SalesforceJwtHook(api_version=given)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"soql": 5}, "soql"), ({"soql": "None"}, "soql"), ({"include_deleted": "no"}, "include_deleted")],
)
def test_arguments_of_a_query_are_named(org: SimulatedOrg, arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(SalesforceJwtHook().query(**{"soql": "SELECT Id FROM Account", **arguments}))
    assert list(caught.value.fields) == [name]
    assert not org.requests


@pytest.mark.parametrize(
    ("conn_type", "said"),
    [
        ("http", "is 'http' and should be 'salesforce_jwt'"),
        ("salesforce", "'airflow-salesforce-jwt from-salesforce' converts it"),
    ],
)
def test_the_type_of_a_connection_that_cannot_be_read_is_told_first(
    monkeypatch: pytest.MonkeyPatch, conn_type: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps({"conn_type": conn_type, "host": "acme.com"}))
    with pytest.raises(ConfigurationError) as caught:
        _ = SalesforceJwtHook().settings
    assert list(caught.value.fields)[:2] == ["Connection Type", "Username"]
    assert said in caught.value.fields["Connection Type"]
    passed, message = SalesforceJwtHook().test_connection()
    assert not passed
    assert message.startswith("Connection Type: is ")


@pytest.mark.parametrize(
    "given", ["salesforce-jwt://acme.com", "salesforce_jwt", "salesforce-jwt", "Salesforce-JWT", None]
)
def test_every_spelling_of_the_right_type_is_right(monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    content = given if given and "://" in given else json.dumps({"conn_type": given, "host": "acme.com"})
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", content)
    with pytest.raises(ConfigurationError) as caught:
        _ = SalesforceJwtHook().settings
    assert "Connection Type" not in caught.value.fields


def test_simple_salesforce_renews_a_dead_session(org: SimulatedOrg) -> None:
    client = SalesforceJwtHook().get_conn()
    org.expire_sessions()
    assert client.query_all("SELECT Id FROM Account")["totalSize"] == 25
    org.expire_sessions()
    pages = list(client.bulk2.Account.query("SELECT Id FROM Account", max_records=100))
    assert [page.count("\n") for page in pages] == [11, 11, 6]
    org.expire_sessions()
    assert client.Account.describe()["name"] == "Account"
    assert org.logins == 4


def test_a_refused_sign_in_says_what_to_change(org: SimulatedOrg) -> None:
    org.approve(False)
    with pytest.raises(AuthenticationError, match="Permitted Users|permission set") as caught:
        SalesforceJwtHook().limits()
    assert caught.value.code == "invalid_app_access"
    org.approve(True)
    SalesforceJwtHook().limits()  # a new task is not held back by an old refusal


def test_all_faults_of_a_connection_come_at_once(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg) -> None:
    connection(monkeypatch, org, {"consumer_key": None, "private_key": "no key", "http_timeout": "soon"}, login="")
    with pytest.raises(ConfigurationError) as caught:
        SalesforceJwtHook().limits()
    assert set(caught.value.fields) == {"Username", "Consumer key", "Private key", "HTTP timeout"}
    assert "connection 'salesforce_jwt_default'" in str(caught.value)


class TestTheTestButton:
    def test_says_who_signed_in_where(self, org: SimulatedOrg) -> None:
        passed, message = SalesforceJwtHook().test_connection()
        assert passed
        assert message.startswith(f"Signed in as {org.username} to org 00D")
        assert "API 67.0; 99,999 of 100,000 API calls left" in message

    def test_signs_in_anew_each_time(self, org: SimulatedOrg) -> None:
        hook = SalesforceJwtHook()
        assert hook.test_connection()[0]
        org.approve(False)
        passed, message = hook.test_connection()
        assert not passed
        assert "not admin approved" in message

    @pytest.mark.parametrize(
        ("fields", "extra", "said"),
        [
            ({}, {"consumer_key": "3MVG9nobody"}, "Consumer key"),
            ({}, {"audience": "https://test.salesforce.com"}, "Set Audience to https://login.salesforce.com"),
            ({"login": "nobody@example.com"}, {}, "Permitted Users"),
            ({"host": "http://127.0.0.1:9"}, {}, "Check Login URL, Port and Proxy"),
            ({"host": "https://acme.lightning.force.com"}, {}, "Login URL: is a page of Salesforce's UI"),
            ({}, {"private_key": None}, "Private key: is missing"),
        ],
    )  # fmt: skip
    def test_names_the_setting_to_change(
        self, monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, fields: Any, extra: Any, said: str
    ) -> None:
        connection(monkeypatch, org, extra, **fields)
        passed, message = SalesforceJwtHook().test_connection()
        assert not passed
        assert said in message
        assert "\n" not in message

    def test_explains_a_login_page_in_salesforces_place(self, org: SimulatedOrg) -> None:
        page = "<html><head><title>Proxy sign-in</title></head></html>"
        org.add_fault(
            Fault(path="/services/oauth2/token", status=200, body=page, headers={"Content-Type": "text/html"})
        )
        passed, message = SalesforceJwtHook().test_connection()
        assert not passed
        assert "a page titled 'Proxy sign-in'" in message
        assert "Check Login URL" in message


def test_connect_runs_any_flow(org: SimulatedOrg) -> None:
    with SalesforceJwtHook().connect() as connected:
        assert connected.run(describe, "Account")["name"] == "Account"


async def test_the_same_flows_run_in_async_code(org: SimulatedOrg) -> None:
    async with SalesforceJwtHook().aconnect() as connected:
        assert (await connected.run(describe, "Account"))["name"] == "Account"


def test_worker_and_triggerer_share_one_token_within_a_process(org: SimulatedOrg) -> None:
    import asyncio

    async def describe_account() -> None:
        async with SalesforceJwtHook().aconnect(token_max_age=1800) as connected:
            await connected.run(describe, "Account")

    SalesforceJwtHook().describe("Account")
    asyncio.run(describe_account())
    asyncio.run(describe_account())
    assert org.logins == 1


def test_extract_in_a_task_gives_the_receipt(org: SimulatedOrg, tmp_path: Path) -> None:
    hook = SalesforceJwtHook()
    receipt = hook.extract(sobject="Account", fields=["Id"], output_path=f"file://{tmp_path}", file_format="csv")
    assert receipt.records == 25
    assert hook.read_receipt(f"file://{tmp_path}/") == receipt
    with pytest.raises(FileNotFoundError, match=r"holds no _receipt\.json"):
        hook.read_receipt(f"file://{tmp_path}/elsewhere")


def test_a_key_file_that_is_replaced_is_read_again(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_text("not yet a key")
    connection(monkeypatch, org, {"private_key": None, "key_file": str(file)})
    with pytest.raises(ConfigurationError, match="Key file"):
        SalesforceJwtHook().limits()
    file.write_text(org.private_key)
    SalesforceJwtHook().limits()


def test_a_token_can_be_introspected_with_the_consumer_secret_only(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg
) -> None:
    with pytest.raises(ConfigurationError, match="Consumer secret: is missing"):
        SalesforceJwtHook().introspect()
    connection(monkeypatch, org, {"consumer_secret": org.consumer_secret})
    answer = SalesforceJwtHook().introspect()
    assert (answer["active"], answer["username"]) == (True, org.username)


def test_nothing_is_revoked_unless_asked_for(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    hook.limits()
    assert not [request for request in org.requests if "revoke" in request.path]
    hook.revoke()
    hook.limits()  # signs in anew
    assert org.logins == 2


def test_jwt_shaped_tokens_work(org: SimulatedOrg) -> None:
    org.jwt_access_tokens = True
    assert SalesforceJwtHook().limits()


def other_key() -> str:
    """A key that the org has not heard of."""
    return private_pem(rsa.generate_private_key(65537, 2048))


class TestAKeyRing:
    @pytest.fixture
    def ring(self, monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg) -> SimulatedOrg:
        """The org takes the second of the connection's two keys."""
        first = other_key()
        connection(monkeypatch, org, {"private_key": first + org.private_key})
        return org

    def test_the_second_key_takes_over_and_a_warning_says_so(
        self, ring: SimulatedOrg, caplog: pytest.LogCaptureFixture
    ) -> None:
        SalesforceJwtHook().limits()
        assert ring.login_history == ["invalid_grant: invalid assertion", "success"]
        assert "SHA256:" in caplog.text
        assert "Put it first" in caplog.text

    def test_a_certificate_is_replaced_without_a_failed_run(
        self, monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg
    ) -> None:
        replacement = SimulatedOrg(records={}, private_key=other_key())
        connection(monkeypatch, org, {"private_key": org.private_key + replacement.private_key})
        SalesforceJwtHook().limits()
        org.register_certificate(replacement.certificate)
        org.expire_sessions()
        SalesforceJwtHook().limits()
        assert org.login_history == ["success", "invalid_grant: invalid assertion", "success"]
