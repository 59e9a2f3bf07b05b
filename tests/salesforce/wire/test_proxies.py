"""Which proxy carries a request: the form's, else the environment's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Request
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]


@pytest.fixture
def proxy() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def body_of(carrier: Carrier, url: str) -> bytes:
    return carrier.run(flow.send(Request("GET", url))).body


def test_the_forms_proxy_carries_every_request(
    carry: MakeCarrier, server: LocalServer, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "acme.example.com")
    carrier = carry(proxy=proxy.url.replace("//", "//user:pass@"))
    assert body_of(carrier, "http://acme.example.com/limits") == b"from the proxy"
    assert [seen.target for seen in proxy.seen] == ["http://acme.example.com/limits"]
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert server.seen == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environments_proxy_counts_where_the_form_names_none(
    carry: MakeCarrier, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    assert body_of(carry(), "http://acme.example.com/limits") == b"from the proxy"


@pytest.mark.parametrize("exempt", ["127.0.0.1", "other.example.com,127.0.0.1", "*"])
def test_a_host_that_the_environment_exempts_is_reached_directly(
    carry: MakeCarrier, server: LocalServer, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert body_of(carry(), f"{server.url}/status/200") == b"status 200"
    assert proxy.seen == []


@pytest.mark.parametrize("source", ["form", "environment"])
def test_a_proxy_that_refuses_never_sent_the_request(
    carry: MakeCarrier, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    carrier = carry(proxy=proxy.url) if source == "form" else carry()
    with pytest.raises(TransportError) as caught:
        body_of(carrier, "https://acme.example.com/limits")
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "acme.example.com:443")]
    assert caught.value.request_was_sent is False
    assert "407 Proxy Authentication Required" in str(caught.value)


def test_settings_show_no_proxy_password() -> None:
    assert "hidden" not in repr(TransportSettings(proxy="http://user:hidden@proxy.example.com:3128"))


def test_a_connection_attempt_ends_before_an_answer_is_given_up() -> None:
    assert TransportSettings(timeout=5).connect_timeout == 5
    assert TransportSettings(timeout=3600).connect_timeout == 20
