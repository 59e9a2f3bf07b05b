"""No token and no consumer secret reaches a host that is not the connection's, from any client."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from requests import Request
from simple_salesforce.exceptions import SalesforceError as SimpleSalesforceError

from airflow_provider_sfjwt.exceptions import AuthenticationError, ConfigurationError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.org import limits
from airflow_provider_sfjwt.salesforce.auth.token_source import forget_tokens
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.attacks.thief import Thief, running_thief
from tests.orgs import fresh_masker, private_key, small_org

__all__ = ["fresh_masker", "private_key", "small_org"]
pytestmark = pytest.mark.attack(
    "an answer or a URL that leads the token to another host",
    before="the host got the token",
    after="refused by name",
)


@pytest.fixture
def thief() -> Iterator[Thief]:
    with running_thief() as running:
        yield running


@pytest.fixture
def signed_in(org: SimulatedOrg) -> Iterator[SimulatedOrg]:
    """An org that counts what came to it after the sign-in."""
    yield org
    assert org.logins == 1


def no_token(error: BaseException) -> bool:
    """Whether an error shows no opaque access token."""
    return re.search(r"00D\w{12,15}!", f"{error}{vars(error)}") is None


def instance_url(answer: dict[str, Any], url: str) -> dict[str, Any]:
    return answer | {"instance_url": url}


# -- the answer of the token endpoint ------------------------------------------------------------------------------------

FORMS = {
    "another port of another host": "https://evil.example.com:8443",
    "another host over http": "http://evil.example.com",
    "the login host as the user": "http://{org}@{thief}",
    "user and password": "http://user:pw@{org}",
    "a backslash": "http://{org}\\@{thief}",
    "a tab in it": "http://{org}\t.evil.example.com",
    "Salesforce's name at the front": "https://login.salesforce.com.evil.example.com",
    "Salesforce's name in other letters": "https://acme.my.\u0455alesforce.com",
    "a fragment": "https://evil.example.com#.salesforce.com",
    "a query": "https://evil.example.com?.salesforce.com",
    "a path": "http://{org}/services/proxy",
    "without a scheme": "//{thief}",
    "a list": ["http://127.0.0.1"],
}


def test_an_instance_url_elsewhere(org: SimulatedOrg, thief: Thief) -> None:
    async def waiting() -> None:
        async with SalesforceJwtHook().aconnect() as connected:
            await connected.run(limits)

    for name, form in FORMS.items():
        url = form.format(org=org.url.partition("//")[2], thief=thief.address) if isinstance(form, str) else form
        org.clear_faults()
        org.add_fault(Fault(path="*/token", times=None, edit_json=lambda answer, url=url: instance_url(answer, url)))
        for use in (SalesforceJwtHook().limits, lambda: asyncio.run(waiting())):
            with pytest.raises(AuthenticationError, match="instance_domains") as caught:
                use()
            assert caught.value.code == "instance_url", name
            assert no_token(caught.value), name
        forget_tokens()
    assert not SalesforceJwtHook().test_connection()[0]
    assert thief.taken == []


# -- the clients -----------------------------------------------------------------------------------------------------------


URLS = ["http://{thief}/x", "https://{thief}/x", "http://{org}@{thief}/x", "http://{org}\\@{thief}/x", "//{thief}/x"]
HEADERS: list[dict[str, str]] = [{}, {"X-SFDC-Session": "mine"}, {"Authorization": "Bearer mine"}]


def test_the_session_of_simple_salesforce(signed_in: SimulatedOrg, thief: Thief) -> None:
    session = SalesforceJwtHook().get_conn().session
    for url, headers, call in product(URLS, HEADERS, (session.get, session.post)):
        with pytest.raises(ConfigurationError, match="use a session of your own"):
            call(url.format(org=signed_in.url.partition("//")[2], thief=thief.address), headers=headers)
    assert thief.taken == []


def test_a_session_follows_no_redirect(signed_in: SimulatedOrg, thief: Thief) -> None:
    session = SalesforceJwtHook().get_conn().session
    signed_in.add_fault(Fault(path="/x", status=302, headers={"Location": f"http://{thief.address}/x"}))
    assert session.get(f"{signed_in.url}/x", allow_redirects=True).status_code == 302
    # What is prepared by hand carries what its author put into it, and no token of ours.
    session.send(session.prepare_request(Request("GET", f"http://{thief.address}/own")))
    assert [each.partition(" HTTP")[0] for each in thief.taken] == ["GET /own"]
    assert "Bearer" not in thief.taken[0]


NEXT = ["@{thief}/x", ".{thief}/x", "http://{thief}/x", "//{thief}/x", "\\@{thief}/x", ":1@{thief}/x"]


def test_a_next_page_elsewhere(signed_in: SimulatedOrg, thief: Thief) -> None:
    hook = SalesforceJwtHook()
    added: dict[str, str] = {}

    def edited(page: dict[str, Any]) -> dict[str, Any]:
        return page | added

    signed_in.add_fault(Fault(path="*/query?*", times=None, edit_json=edited))
    for link in NEXT:
        added["nextRecordsUrl"] = link.format(thief=thief.address)
        for ask in (hook.get_conn().query_all, lambda soql: list(hook.query(soql))):
            with pytest.raises((SalesforceError, SimpleSalesforceError)) as caught:
                ask("SELECT Id FROM Account")
            assert no_token(caught.value)
    assert thief.taken == []


RESOURCES = [
    "http://{thief}/x",
    "https://{thief}/x",
    "//{thief}/x",
    "http://{org}@{thief}/x",
    "http://{org}\\@{thief}/x",
    "http://user@{org}/x",
    "http://[{org}/x",
    "@{thief}/x",
    "\\\\{thief}/x",
]


def test_a_resource_elsewhere(signed_in: SimulatedOrg, thief: Thief) -> None:
    hook = SalesforceJwtHook()
    for resource in RESOURCES:
        with pytest.raises(SalesforceError):
            hook.request("GET", resource.format(org=signed_in.url.partition("//")[2], thief=thief.address))
    assert thief.taken == []


def test_a_resource_of_the_org_by_its_url(signed_in: SimulatedOrg) -> None:
    assert SalesforceJwtHook().request("GET", f"{signed_in.url.upper()}/services/data/v67.0/limits".lower())


REDIRECTED: dict[str, Callable[[SalesforceJwtHook], Any]] = {
    "limits": SalesforceJwtHook.limits,
    "query": lambda hook: list(hook.query("SELECT Id FROM Account")),
    "introspect": SalesforceJwtHook.introspect,
    "revoke": SalesforceJwtHook.revoke,
}


@pytest.mark.parametrize("call", REDIRECTED.values(), ids=REDIRECTED)
def test_a_redirect_of_the_api(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, thief: Thief, call: Callable[[SalesforceJwtHook], Any]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json(consumer_secret="s3cr3t-of-the-app"))
    hook = SalesforceJwtHook()
    with hook.connect() as connected:
        connected.token()
    org.add_fault(Fault(times=None, status=307, headers={"Location": f"http://{thief.address}/x"}))
    with pytest.raises(SalesforceError, match="redirect"):
        call(hook)
    assert thief.taken == []


def test_a_list_of_domains_lets_an_own_gateway_be(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg) -> None:
    """The setting that the refusal names is enough: the address is believed, and asked for."""
    org.add_fault(
        Fault(path="*/token", times=None, edit_json=lambda answer: instance_url(answer, "https://sf.acme.invalid:8443"))
    )
    content = json.loads(org.connection_json(instance_domains="*.acme.invalid, acme.com"))
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(content))
    with SalesforceJwtHook().connect() as connected:
        assert connected.token().instance_url == "https://sf.acme.invalid:8443"
