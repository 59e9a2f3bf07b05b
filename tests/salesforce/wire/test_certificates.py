"""What is wrong with a server's certificate is told apart, by both transports alike."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Request
from airflow_provider_sfjwt.salesforce.wire.outages import transport_error
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]
NOW = datetime.now(timezone.utc)
YEAR = timedelta(days=365)


class Authority(NamedTuple):
    """A private authority: its key, its certificate, and the file that has it."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    file: Path


def named(name: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(f"CN={name}")


@pytest.fixture(scope="module")
def server_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = (
        x509.CertificateBuilder()
        .subject_name(named("authority"))
        .issuer_name(named("authority"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - YEAR * 2)
        .not_valid_after(NOW + YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = tmp_path_factory.mktemp("authority") / "authority.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return Authority(key, made, file)


def server_file(
    folder: Path,
    key: rsa.RSAPrivateKey,
    authority: Authority | None,
    *,
    address: str = "127.0.0.1",
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
) -> Path:
    """Certificate and key of a server; signed by itself where there is no authority."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(named("server"))
        .issuer_name(named("authority" if authority else "server"))
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
    )
    made = builder.sign(authority.key if authority else key, SHA256())
    file = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return file


def failure(carrier: Carrier, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        carrier.run(flow.send(Request("GET", url)))
    return caught.value


@pytest.mark.parametrize(
    ("made", "code", "advice"),
    [
        ({"begin": NOW - YEAR, "end": NOW - timedelta(days=1)}, "certificate_expired", "renew"),
        ({"begin": NOW + timedelta(days=1)}, "certificate_not_yet_valid", "clock"),
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
    file = server_file(tmp_path, server_key, authority)
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
