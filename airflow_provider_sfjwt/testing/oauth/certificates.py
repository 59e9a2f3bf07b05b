"""Keys and certificates: the app's own, and those with which the org serves TLS."""

from __future__ import annotations

import functools
import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@functools.cache
def shared_private_key() -> str:
    """Return an RSA key as PKCS#8 PEM, made once per process because making one takes a tenth of a second or more."""
    return private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def private_pem(key: _Key) -> str:
    """Return a key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@functools.lru_cache(maxsize=16)
def load_rsa_key(pem: str) -> rsa.RSAPrivateKey:
    """Return the RSA key of an unencrypted PEM.

    :raises ValueError: for another kind of key.
    """
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key is not an RSA key: Salesforce verifies RS256")
    return key


@functools.lru_cache(maxsize=16)
def certificate_for(private_key_pem: str, name: str = "sfjwt simulated org") -> str:
    """Return a self-signed certificate of a key as PEM, valid for a year: what one uploads to a connected app."""
    key = load_rsa_key(private_key_pem)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return _builder(subject, subject, key).sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def write_tls_files(folder: Path) -> tuple[Path, Path]:
    """Make an authority and a certificate of it for localhost and 127.0.0.1.

    :param folder: where to write them.
    :return: the authority's certificate, for clients; and the server's certificate with its key.
    """
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sfjwt simulated org authority")])
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    authority = (
        _builder(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(authority_key, SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    server = (
        _builder(server_name, authority_name, server_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(issuer_id, critical=False)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, SHA256())
    )
    bundle, served = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(authority.public_bytes(Encoding.PEM))
    served.touch(mode=0o600)
    served.write_bytes(server.public_bytes(Encoding.PEM) + private_pem(server_key).encode())
    return bundle, served


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
