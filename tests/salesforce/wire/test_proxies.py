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
    assert (caught.value.request_was_sent, caught.value.code) == (False, "proxy_refused")
    assert f"proxy in {'field Proxy' if source == 'form' else 'HTTPS_PROXY of the environment'}" in caught.value.remedy
    assert "407 Proxy Authentication Required" in str(caught.value)


@pytest.mark.parametrize("exempt", ["127.0.0.0/8", "10.0.0.0/8,127.0.0.0/8", "nonsense/x,127.0.0.0/8"])
def test_a_network_may_be_exempt(
    carry: MakeCarrier, server: LocalServer, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert body_of(carry(), f"{server.url}/status/200") == b"status 200"


def test_a_proxy_may_be_named_without_its_scheme(
    carry: MakeCarrier, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    assert body_of(carry(), "http://acme.example.com/limits") == b"from the proxy"


def test_hosts_with_and_without_a_proxy_are_reached_by_one_transport(
    carry: MakeCarrier, server: LocalServer, proxy: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    carrier = carry()
    assert body_of(carrier, f"{server.url}/status/200") == b"status 200"
    assert body_of(carrier, "http://acme.example.com/limits") == b"from the proxy"
    assert body_of(carrier, f"{server.url}/status/201") == b"status 201"


SOCKS = "a SOCKS proxy, for which the package"
PORT = "an address whose port is not a number between 1 and 65535"
NAMELESS = "an address without a host name that can be used"


@pytest.mark.parametrize(
    ("address", "shown", "fault"),
    [
        ("socks5://user:hidden-pw@proxy.example.com:1080", "proxy.example.com:1080", SOCKS),
        ("socks5h://proxy.example.com:1080", "proxy.example.com:1080", SOCKS),
        ("socks4://proxy.example.com:1080", "proxy.example.com:1080", SOCKS),
        ("ftp://proxy.example.com", "proxy.example.com", "no http:// or https:// address"),
        ("http://user:hidden-pw@proxy.example.com:99999", "proxy.example.com:99999", PORT),
        ("http://proxy.example.com:port", "proxy.example.com:port", PORT),
        ("http://proxy.example.com:0", "proxy.example.com:0", NAMELESS),
        ("http://proxy..example.com:3128", "proxy..example.com:3128", NAMELESS),
        (f"http://{'a' * 64}.example.com:3128", f"{'a' * 64}.example.com:3128", NAMELESS),
        ("http://pröxy..example.com:3128", "pröxy..example.com:3128", NAMELESS),
        ("http://", "", NAMELESS),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_an_environments_proxy_that_cannot_be_used_is_named_with_its_variable(
    carry: MakeCarrier, monkeypatch: pytest.MonkeyPatch, address: str, shown: str, fault: str, name: str
) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(TransportError) as caught:
        body_of(carry(), "https://acme.example.com/limits")
    error = caught.value
    assert (error.code, error.request_was_sent, error.retryable) == ("unusable_proxy", False, False)
    assert error.cause.startswith(f"{name} of the environment names {shown}, {fault}")
    assert "hidden-pw" not in f"{error}{vars(error)}"


def test_the_name_of_a_proxy_may_hold_letters_of_any_language(
    carry: MakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://pröxy.invalid:3128")
    with pytest.raises(TransportError) as caught:
        body_of(carry(), "https://acme.example.com/limits")
    assert caught.value.code == "unknown_host"


@pytest.mark.parametrize(
    ("source", "named"), [("form", "field Proxy"), ("environment", "HTTPS_PROXY of the environment")]
)
@pytest.mark.parametrize(
    ("proxy_url", "code"),
    [("http://u:hidden-pw@proxy.invalid:3128", "unknown_host"), ("http://127.0.0.1:9", "refused")],
)
def test_a_proxy_that_cannot_be_reached_is_named_with_its_source(
    carry: MakeCarrier, monkeypatch: pytest.MonkeyPatch, source: str, named: str, proxy_url: str, code: str
) -> None:
    if source == "environment":
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    with pytest.raises(TransportError) as caught:
        body_of(carry(proxy=proxy_url if source == "form" else None), "https://acme.example.com/limits")
    error = caught.value
    assert (error.code, error.host, error.request_was_sent) == (
        code,
        proxy_url.rpartition("@")[2].removeprefix("http://"),
        False,
    )
    assert f"{error.host}, the proxy in {named}," in error.cause
    assert error.remedy == f"Check the proxy in {named}."
    assert "hidden-pw" not in f"{error}{vars(error)}"


def test_settings_show_no_proxy_password() -> None:
    assert "hidden" not in repr(TransportSettings(proxy="http://user:hidden@proxy.example.com:3128"))


def test_a_connection_attempt_ends_before_an_answer_is_given_up() -> None:
    assert TransportSettings(timeout=5).connect_timeout == 5
    assert TransportSettings(timeout=3600).connect_timeout == 20
