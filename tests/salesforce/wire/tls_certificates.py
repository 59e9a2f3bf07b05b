"""A private authority, and certificates of servers with one thing wrong."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.now(timezone.utc)
DAY, YEAR = timedelta(days=1), timedelta(days=365)


class Authority(NamedTuple):
    """Its key, and the file that has its certificate."""

    key: rsa.RSAPrivateKey
    file: Path


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(
    subject: str, issuer: str, key: rsa.RSAPrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(f"CN={subject}"))
        .issuer_name(x509.Name.from_rfc4514_string(f"CN={issuer}"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def authority(folder: Path) -> Authority:
    key = new_key()
    unused = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        + ("encipher_only", "decipher_only"),
        False,
    )
    made = (
        _builder("authority", "authority", key, NOW - 2 * YEAR, NOW + YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **unused), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    file = folder / "authority.pem"
    file.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return Authority(key, file)


def server_file(
    folder: Path,
    key: rsa.RSAPrivateKey,
    issuer: Authority | None,
    *,
    address: str = "127.0.0.1",
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    names_authority: bool = True,
) -> Path:
    """Certificate and key of a server; signed by itself where there is no issuer.

    Python insists on an Authority Key Identifier since 3.13: ``names_authority``.
    """
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    made = _builder("server", "authority" if issuer else "server", key, begin, end).add_extension(names, critical=False)
    if issuer and names_authority:
        known_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        made = made.add_extension(known_by, critical=False)
    file = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.sign(issuer.key if issuer else key, SHA256()).public_bytes(Encoding.PEM) + secret)
    return file
