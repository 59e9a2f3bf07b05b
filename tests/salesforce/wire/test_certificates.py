"""What is wrong with a server's certificate is told apart, by both transports alike."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Request
from airflow_provider_sfjwt.salesforce.wire.outages import transport_error
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from tests.salesforce.wire import tls_certificates
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer
from tests.salesforce.wire.tls_certificates import DAY, NOW, YEAR, Authority, new_key, server_file

MakeCarrier = Callable[..., Carrier]


@pytest.fixture(scope="module")
def server_key() -> rsa.RSAPrivateKey:
    return new_key()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return tls_certificates.authority(tmp_path_factory.mktemp("authority"))


def failure(carrier: Carrier, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        carrier.run(flow.send(Request("GET", url)))
    return caught.value


@pytest.mark.parametrize(
    ("made", "code", "advice"),
    [
        ({"begin": NOW - YEAR, "end": NOW - DAY}, "certificate_expired", "renew"),
        ({"begin": NOW + DAY}, "certificate_not_yet_valid", "clock"),
        ({"address": "127.0.0.9"}, "certificate_other_host", "another server"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_apart(
    carry: MakeCarrier,
    authority: Authority,
    server_key: rsa.RSAPrivateKey,
    tmp_path: Path,
    made: dict[str, object],
    code: str,
    advice: str,
) -> None:
    file = server_file(tmp_path, server_key, authority, **made)  # type: ignore[arg-type]
    with LocalServer(file) as server:
        error = failure(carry(ca_bundle=str(authority.file)), f"{server.url}/status/200")
    assert (error.code, error.request_was_sent, error.retryable) == (code, False, False)
    assert advice in error.remedy
    assert "CA bundle" not in error.remedy
    assert server.seen == []


@pytest.mark.parametrize(
    ("signed", "code"), [(False, "certificate_self_signed"), (True, "certificate_untrusted")], ids=["itself", "other"]
)
def test_an_authority_that_is_not_trusted_is_named_in_ca_bundle(
    carry: MakeCarrier, authority: Authority, server_key: rsa.RSAPrivateKey, tmp_path: Path, signed: bool, code: str
) -> None:
    file = server_file(tmp_path, server_key, authority if signed else None)
    with LocalServer(file) as server:
        error = failure(carry(), f"{server.url}/status/200")
    assert (error.code, error.retryable) == (code, False)
    assert "CA bundle" in error.remedy


def handshake(server: Path, trusted: Path, *, strict: bool, usage: ssl.Purpose) -> ssl.SSLCertVerificationError:
    """What OpenSSL says of a server's certificate, without a network between."""
    context = ssl.create_default_context(usage, cafile=str(trusted))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(server)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(back, there, server_side=False)
    theirs = serving.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs):
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        ours.do_handshake()
    return caught.value


def test_a_rule_that_newer_pythons_insist_on_is_named(
    authority: Authority, server_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    file = server_file(tmp_path, server_key, authority, names_authority=False)
    refused = handshake(file, authority.file, strict=True, usage=ssl.Purpose.SERVER_AUTH)
    request = Request("GET", "https://acme.example.com/")
    error = transport_error(request, refused, TransportSettings(), request_was_sent=False)
    assert error.code == "certificate_against_a_rule"
    assert "Python 3.13" in error.cause
    assert error.said == refused.verify_message
    assert "CA bundle" not in error.remedy


def test_any_other_fault_of_a_certificate_is_told_in_openssls_words() -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_code, refused.verify_message = 68, "CA signature digest algorithm too weak"
    request = Request("GET", "https://acme.example.com/")
    error = transport_error(request, refused, TransportSettings(), request_was_sent=False)
    assert (error.code, error.said) == ("certificate_unacceptable", "CA signature digest algorithm too weak")
