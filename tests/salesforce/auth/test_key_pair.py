"""A key pair as made here is one that Salesforce takes, and that this package reads back."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.key_pair import make_key_pair
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys


@pytest.mark.parametrize("bits", [2048, 4096])
def test_the_key_has_the_size_that_was_asked_for_and_signs_its_certificate(bits: int) -> None:
    pair = make_key_pair(bits=bits, days=30, subject="CN=airflow")
    (key,) = read_keys(pair.private_key, source="Private key")
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    assert key.private_key.key_size == bits
    assert not key.repairs
    certificate.verify_directly_issued_by(certificate)
    now = datetime.now(timezone.utc)
    assert certificate.not_valid_before_utc < now - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == pair.not_after
    assert timedelta(days=29, hours=23) < pair.not_after - now < timedelta(days=30)


def test_an_encrypted_key_opens_with_its_passphrase_alone() -> None:
    pair = make_key_pair(passphrase="corréct horse")
    assert pair.private_key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert read_keys(pair.private_key, source="Private key", passphrase="corréct horse")
    with pytest.raises(ConfigurationError, match="does not open the private key"):
        read_keys(pair.private_key, source="Private key", passphrase="other")


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_key_pair(bits=1024, days=0, subject="airflow", passphrase="1234")
    assert set(caught.value.fields) == {"bits", "days", "subject", "passphrase"}
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize("subject", ["", "CN=", "C=Germany", "CN=" + "a" * 65])
def test_a_name_that_no_certificate_can_have_is_refused(subject: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name such as CN=airflow"):
        make_key_pair(subject=subject)


@pytest.mark.parametrize("days", [-1, 3651])
def test_so_is_a_validity_that_makes_no_sense(days: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 3650 days"):
        make_key_pair(days=days)


def test_it_shows_and_serialises_nothing() -> None:
    pair = make_key_pair(now=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert repr(pair) == "KeyPair(ends 2027-01-01)"
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(pair)
