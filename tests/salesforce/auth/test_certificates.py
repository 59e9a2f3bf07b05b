"""What a certificate says, whatever shape it comes in, and what its dates mean."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.certificates import Certificate, read_certificate
from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair, make_key_pair
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return make_key_pair(subject="CN=airflow,O=Acme", now=NOW)


@pytest.fixture(scope="module")
def der(pair: KeyPair) -> bytes:
    return x509.load_pem_x509_certificate(pair.certificate.encode()).public_bytes(Encoding.DER)


def test_it_tells_the_key_the_name_and_the_dates(pair: KeyPair) -> None:
    read = read_certificate(pair.certificate)
    (key,) = read_keys(pair.private_key, source="Private key")
    assert read.fingerprint == key.fingerprint
    assert read.subject == "CN=airflow,O=Acme"
    assert read.not_before == NOW - timedelta(minutes=10)
    assert read.not_after == pair.not_after == NOW + timedelta(days=365)


def test_every_shape_reads_the_same(pair: KeyPair, der: bytes) -> None:
    pem = pair.certificate
    shapes: list[str | bytes] = [
        pem.replace("\n", "\\n"),
        pem.replace("\n", " "),
        pem.replace("\n", "\r\n").encode("utf-16"),
        f"subject=CN=airflow\n{pem}{pem}",
        base64.b64encode(der).decode(),
        pem.encode(),
        der,
        (pair.private_key + pem).encode(),  # a file may hold both
    ]
    assert {read_certificate(shape) for shape in shapes} == {read_certificate(pem)}


@pytest.mark.parametrize(
    "damage", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----"]
)
def test_what_is_none_is_said_to_be_none(damage: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_certificate(damage)
    assert caught.value.fields == {
        "Certificate": "this is not a certificate; paste the certificate that was uploaded to Salesforce, as PEM"
    }


def test_bytes_of_anything_and_other_pem_blocks_are_none_either(pair: KeyPair, der: bytes) -> None:
    public = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n"
    for material in (b"\xff\xfe\x00\xd8", b"\x80\x81 no text", der[:-5], public, pair.private_key.encode()):
        with pytest.raises(ConfigurationError, match="--certificate: this is not a certificate"):
            read_certificate(material, source="--certificate")


def test_a_private_key_in_the_field_is_told_to_leave_it(pair: KeyPair) -> None:
    for pasted in (pair.private_key, pair.certificate + pair.private_key):
        with pytest.raises(ConfigurationError, match="this is a private key, which must not stand here") as caught:
            read_certificate(pasted)
        assert pair.private_key.splitlines()[1] not in str(caught.value)


def test_a_certificate_of_another_kind_of_key_is_read_too() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=elliptic")
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).sign(key, SHA256())
    assert read_certificate(made.public_bytes(Encoding.DER)).subject == "CN=elliptic"


@pytest.mark.parametrize(
    ("left", "days", "soon", "fault"),
    [
        (timedelta(days=365), 365, False, None),
        (timedelta(days=30, seconds=1), 30, False, None),
        (timedelta(days=30), 30, True, "The certificate ends on 2026-12-21, in 30 days"),
        (timedelta(hours=3), 0, True, "The certificate ends on 2026-11-21, in 0 days"),
        (timedelta(0), 0, True, "The certificate ended on 2026-11-21"),
        (timedelta(days=-2), -2, True, "The certificate ended on 2026-11-19"),
    ],
)
def test_its_end_is_told_in_time(left: timedelta, days: int, soon: bool, fault: str | None) -> None:
    certificate = Certificate("SHA256:00", "CN=airflow", NOW - timedelta(days=400), NOW + left)
    assert certificate.days_left(NOW) == days
    assert certificate.ends_soon(NOW) is soon
    assert certificate.fault(NOW) == fault


def test_one_that_is_not_valid_yet_says_so() -> None:
    certificate = Certificate("SHA256:00", "CN=airflow", NOW + timedelta(hours=1), NOW + timedelta(days=365))
    assert certificate.fault(NOW) == "The certificate is not valid before 2026-11-21 13:00 UTC"
