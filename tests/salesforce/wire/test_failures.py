"""What goes wrong on the way, whichever transport meets it: what the flow is told, and what is not said."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]
SECRET = "s3cr3t-of-ours"


def failure(carrier: Carrier, url: str, **fields: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        carrier.run(flow.send(Request("GET", url, **fields)))
    return caught.value


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return int(once.getsockname()[1])


def test_a_refused_connection_never_sent_the_request(carry: MakeCarrier, closed_port: int) -> None:
    error = failure(carry(), f"http://127.0.0.1:{closed_port}/limits")
    assert (error.request_was_sent, error.retryable) == (False, True)
    assert (error.code, error.host, error.said) == ("refused", f"127.0.0.1:{closed_port}", "Connection refused")
    assert str(error) == (
        f"127.0.0.1:{closed_port} refuses the connection (GET 127.0.0.1:{closed_port}/limits: Connection refused). "
        "Check Login URL, Port and Proxy."
    )


def test_a_host_of_several_addresses_is_refused_in_the_same_words(
    carry: MakeCarrier, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_addresses(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, (address, int(port))) for address in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    error = failure(carry(), f"http://two.example.com:{closed_port}/")
    assert (error.request_was_sent, error.code) == (False, "refused")
    assert "two.example.com" in error.cause


def test_an_unknown_host_never_got_the_request(carry: MakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(carry(), "http://acme.my.example.com/")
    assert (error.request_was_sent, error.retryable) == (False, True)
    assert (error.code, error.host, error.said) == ("unknown_host", "acme.my.example.com", "Name or service not known")
    assert error.cause == "The name acme.my.example.com is not known to this machine's DNS"


@pytest.mark.parametrize("path", ["reset", "cut", "chunkcut", "nozip"])
def test_a_broken_answer_leaves_open_whether_the_request_was_processed(
    carry: MakeCarrier, server: LocalServer, path: str
) -> None:
    error = failure(carry(), f"{server.url}/{path}")
    assert (error.request_was_sent, error.retryable, error.code) == (True, True, "broken")
    assert f" (GET 127.0.0.1:{server.server_port}/{path}: " in str(error)


@pytest.mark.parametrize("path", ["hang", "stall"])
def test_http_timeout_ends_the_wait_for_an_answer(carry: MakeCarrier, server: LocalServer, path: str) -> None:
    error = failure(carry(timeout=0.2), f"{server.url}/{path}")
    assert (error.request_was_sent, error.retryable, error.code) == (True, True, "timeout")


def test_a_connection_that_is_not_taken_up_in_time_never_sent_the_request(carry: MakeCarrier) -> None:
    with socket.socket() as deaf, socket.socket() as other:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        other.connect(deaf.getsockname())  # the one place in the queue is taken
        error = failure(carry(timeout=0.2), f"http://127.0.0.1:{deaf.getsockname()[1]}/")
    assert (error.request_was_sent, error.retryable, error.code) == (False, True, "timeout")


def test_a_certificate_of_the_named_authority_is_trusted(
    carry: MakeCarrier, tls_server: LocalServer, tls_files: tuple[Path, Path]
) -> None:
    carrier = carry(ca_bundle=str(tls_files[0]))
    assert carrier.run(flow.send(Request("GET", f"{tls_server.url}/status/200"))).status == 200


def test_an_untrusted_certificate_is_an_error_that_no_retry_mends(carry: MakeCarrier, tls_server: LocalServer) -> None:
    error = failure(carry(), f"{tls_server.url}/status/200")
    assert (error.request_was_sent, error.retryable, error.code) == (False, False, "certificate_untrusted")
    assert "CA bundle" in error.remedy
    assert tls_server.seen == []


def test_a_certificate_of_another_host_is_untrusted(
    carry: MakeCarrier, tls_server: LocalServer, tls_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", tls_server.server_port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address])
    url = f"https://other.example.com:{tls_server.server_port}/status/200"
    error = failure(carry(ca_bundle=str(tls_files[0])), url)
    assert (error.request_was_sent, error.retryable, error.code) == (False, False, "certificate_other_host")


def test_a_server_that_speaks_no_tls_is_an_error_of_transport(carry: MakeCarrier, server: LocalServer) -> None:
    error = failure(carry(), f"https://127.0.0.1:{server.server_port}/status/200")
    assert (error.code, error.cause) == ("no_tls", f"127.0.0.1:{server.server_port} does not speak TLS")
    assert server.seen == []


def test_tls_that_breaks_after_the_request_leaves_open_whether_it_was_processed(
    carry: MakeCarrier, tls_server: LocalServer, tls_files: tuple[Path, Path]
) -> None:
    error = failure(carry(ca_bundle=str(tls_files[0])), f"{tls_server.url}/garble")
    assert (error.request_was_sent, error.retryable, error.code) == (True, True, "broken_tls")
    assert [seen.target for seen in tls_server.seen] == ["/garble"]


def test_a_network_without_a_way_is_said_so(carry: MakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    # A multicast address: no system lets a TCP connection go there.
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("224.0.0.1", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address])
    error = failure(carry(timeout=1), "https://acme.example.com/")
    assert (error.request_was_sent, error.code, error.said) == (False, "unreachable", "Network is unreachable")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environments_authorities_count_where_the_form_names_none(
    carry: MakeCarrier,
    tls_server: LocalServer,
    tls_files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv(name, str(tls_files[0]))
    answer = carry().run(flow.send(Request("GET", f"{tls_server.url}/status/200")))
    assert answer.status == 200


def test_the_forms_authorities_win_over_the_environments(
    carry: MakeCarrier, tls_server: LocalServer, tls_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_files[0]))
    error = failure(carry(ca_bundle=certifi.where()), f"{tls_server.url}/status/200")
    assert error.retryable is False


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_a_fault_of_the_connection(
    carry: MakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigurationError) as caught:
        carry()
    assert str(bundle) in caught.value.fields["CA bundle"]
    assert "REQUESTS_CA_BUNDLE" in caught.value.fields["CA bundle"]


def test_a_folder_of_authorities_is_understood(
    carry: MakeCarrier, server: LocalServer, tls_server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert carry().run(flow.send(Request("GET", f"{server.url}/status/200"))).status == 200
    assert failure(carry(), f"{tls_server.url}/status/200").retryable is False, "it is empty, so nobody is trusted"


@pytest.mark.parametrize("fault", ["refused", "reset", "proxy"])
def test_an_error_repeats_no_secret(carry: MakeCarrier, server: LocalServer, closed_port: int, fault: str) -> None:
    urls = {
        "refused": f"http://127.0.0.1:{closed_port}/a?token={SECRET}",
        "reset": f"{server.url}/reset?token={SECRET}&q=SELECT%20Id%0AFROM%20Account",
        "proxy": f"https://acme.my.example.com/a?token={SECRET}",
    }
    proxy = f"http://user:{SECRET}@127.0.0.1:{server.server_port}" if fault == "proxy" else None
    error = failure(carry(proxy=proxy), urls[fault], headers={"Authorization": f"Bearer {SECRET}"})
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert SECRET not in shown
    assert "?token=…" in str(error)
    assert fault != "reset" or "&q=SELECT Id FROM Account" in str(error)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("odd://127.0.0.1/?token=" + SECRET, "fine"),
        ("{server}/echo?token=" + SECRET, "two\nlines"),
        ("https://acme..my.salesforce.com/?token=" + SECRET, "fine"),
        (f"https://{'a' * 64}.salesforce.com/?token=" + SECRET, "fine"),
    ],
)
def test_a_request_that_cannot_be_sent_is_an_error_without_its_secrets(
    carry: MakeCarrier, server: LocalServer, url: str, header: str
) -> None:
    url = url.replace("{server}", server.url)
    error = failure(carry(), url, headers={"Authorization": f"Bearer {SECRET} {header}"})
    assert (error.request_was_sent, error.retryable, error.code) == (False, False, "unsendable")
    assert SECRET not in "".join(traceback.format_exception(error))


def test_an_abandoned_flow_is_closed(carry: MakeCarrier, server: LocalServer) -> None:
    ends = []

    def watched() -> Flow[None]:
        try:
            yield from flow.send(Request("GET", f"{server.url}/reset"))
        except TransportError as error:
            ends.append("told")
            raise KeyboardInterrupt from error
        finally:
            ends.append("closed")

    with pytest.raises(KeyboardInterrupt):
        carry().run(watched())
    assert ends == ["told", "closed"]
