"""A new key pair: the private key for the connection, and the self-signed certificate to upload to Salesforce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, hidden

#: RSA of at least 2048 bits: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
KEY_SIZES = (2048, 4096)
#: Years beyond which no certificate is meant to last.
LONGEST_DAYS = 3650
#: Airflow's masker of secrets leaves shorter ones in the log.
SHORTEST_PASSPHRASE = 5
#: ub-common-name: https://www.rfc-editor.org/rfc/rfc5280#appendix-A.1
_LONGEST_COMMON_NAME = 64
#: A server whose clock is slow must not find that the certificate begins in the future.
_BACKDATED = timedelta(minutes=10)


@dataclass(frozen=True, repr=False)
class KeyPair:
    """A private key and its certificate, as PEM.

    :param private_key: PKCS#8, encrypted where a passphrase was given. A secret in either case.
    :param certificate: self-signed and public.
    :param not_after: when the certificate ends, UTC.
    """

    private_key: hidden[str] = hidden()
    certificate: str  # type: ignore[misc]  # mypy takes the descriptor before it for a default
    not_after: datetime  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"KeyPair(ends {self.not_after:%Y-%m-%d})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not serialised: write it to a file of its own")


def make_key_pair(
    *,
    bits: int = 2048,
    days: int = 365,
    subject: str = "CN=airflow",
    passphrase: str | None = None,
    now: datetime | None = None,
) -> KeyPair:
    """Make an RSA key and a certificate for it.

    :param bits: size of the key, 2048 or 4096.
    :param days: how long the certificate is valid, 1 to 3650.
    :param subject: whom the certificate is made out to, as RFC 4514 writes names, e.g. ``CN=airflow,O=Acme``.
    :param passphrase: to encrypt the key with; None leaves it unencrypted.
    :param now: when the validity begins, timezone-aware; None for this moment.
    :raises ConfigurationError: with everything that is wrong with the arguments, by their names.
    """
    entered = Secret(passphrase)
    del passphrase
    faults = {}
    if bits not in KEY_SIZES:
        faults["bits"] = "an RSA key of 2048 or 4096 bits can be made"
    if not 1 <= days <= LONGEST_DAYS:
        faults["days"] = f"a certificate is made for 1 to {LONGEST_DAYS} days"
    name = _name(subject)
    if name is None:
        faults["subject"] = "is not a name such as CN=airflow or 'CN=airflow,O=Acme,C=DE'"
    if _is_too_short(entered.reveal()):
        faults["passphrase"] = f"must have {SHORTEST_PASSPHRASE} characters or more"
    if faults or name is None:
        raise ConfigurationError(faults, subject="the key pair")
    begin = now or datetime.now(timezone.utc)
    end = begin.replace(microsecond=0) + timedelta(days=days)
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = _certificate(key, name, begin - _BACKDATED, end)
    return KeyPair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(entered.reveal())).decode("ascii"),
        certificate.public_bytes(Encoding.PEM).decode("ascii"),
        end,
    )


def _is_too_short(passphrase: str | None) -> bool:
    return passphrase is not None and len(passphrase) < SHORTEST_PASSPHRASE


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())


def _name(subject: str) -> x509.Name | None:
    try:
        name = x509.Name.from_rfc4514_string(subject)
    except ValueError:
        return None
    # cryptography 42 lets such names pass.
    lengths = [(attribute.oid, len(attribute.value)) for attribute in name]
    too_long = any(oid == NameOID.COMMON_NAME and length > _LONGEST_COMMON_NAME for oid, length in lengths)
    return name if lengths and all(length for _, length in lengths) and not too_long else None


def _certificate(key: rsa.RSAPrivateKey, name: x509.Name, begin: datetime, end: datetime) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
