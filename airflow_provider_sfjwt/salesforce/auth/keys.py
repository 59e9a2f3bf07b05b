"""Any text or file that holds a private key, read into keys that can sign."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth import unusable_keys
from airflow_provider_sfjwt.salesforce.auth.key_costs import check_cost
from airflow_provider_sfjwt.salesforce.auth.key_stores import OpenedKey, open_jks, open_pkcs12
from airflow_provider_sfjwt.salesforce.auth.pem_repair import (
    Section,
    decode_text,
    is_only_markers,
    read_sections,
    text_inside,
    unwrapped,
)
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import (
    KEY_ALIAS,
    KEY_PASSPHRASE,
    LARGEST_KEY,
    PASSPHRASE,
    UnusableKeyError,
)
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, sealed

_STORES = {"pkcs12": open_pkcs12, "jks": open_jks}
# What every version of cryptography reads that this package allows, and every OpenSSL writes.
_PKCS1_CIPHERS = ("AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC")
_MINIMUM_BITS = 2048  # https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
#: Bytes of a key of more than 4,096 bits.
_LONG = 2_700
_NO_PASSPHRASE = "the private key is encrypted; enter its passphrase here"
_WRONG_PASSPHRASE = "this passphrase does not open the private key; enter the one that the key was encrypted with"
_NEEDLESS_PASSPHRASE = "the private key is not encrypted; empty this field, or enter the key that the passphrase opens"
_NEEDLESS_ALIAS = "this is only for key stores, and the private key is in none; empty this field"
_NEEDLESS_KEY_PASSPHRASE = f"this is only for a key inside a key store; empty this field, and use {PASSPHRASE}"


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A private key, parsed once.

    :param private_key: the key itself.
    :param fingerprint: ``SHA256:`` and the digest of the public key, DER of a SubjectPublicKeyInfo, in hexadecimal.
    :param repairs: what was damaged in the text and repaired.
    :param alias: the name of its entry in a key store, or None.
    """

    private_key: RSAPrivateKey
    fingerprint: str
    repairs: tuple[str, ...]
    alias: str | None

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint}, {self.private_key.key_size} bits, alias={self.alias!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not serialised: read it again from its connection")


def read_keys(
    material: str | bytes,
    *,
    source: str,
    passphrase: str | None = None,
    key_alias: str | None = None,
    key_passphrase: str | None = None,
) -> tuple[SigningKey, ...]:
    """Read the private key, or several PEM keys in their order, from what somebody entered or saved.

    :param material: the text of a form field, or the bytes of a file.
    :param source: the label of the field that supplied it, ``Private key`` or ``Key file``.
    :param passphrase: of an encrypted PEM key or of a key store.
    :param key_alias: which key of a key store.
    :param key_passphrase: of that key, where it differs from the store's.
    :raises ConfigurationError: where there is no usable RSA key; it names the field to change.
    """
    entered = Secret((material, passphrase, key_alias, key_passphrase))
    del material, passphrase, key_alias, key_passphrase
    return sealed(lambda: _read_keys(source, *entered.reveal()))


def _read_keys(
    source: str, material: str | bytes, passphrase: str | None, key_alias: str | None, key_passphrase: str | None
) -> tuple[SigningKey, ...]:
    try:
        found = _find(material)
        if not any(key.kind in _STORES for key in found):
            _refuse_needless(found, passphrase, key_alias, key_passphrase)
        return tuple(
            _from_store(key, _STORES[key.kind](key.data, passphrase, key_alias, key_passphrase))
            if key.kind in _STORES
            else _from_pem(key, passphrase)
            for key in found
        )
    except UnusableKeyError as fault:
        raise ConfigurationError({fault.field or source: fault.sentence}) from None


def secret_forms(material: str) -> tuple[str, ...]:
    """List every text under which a log could show a key, for a masker of secrets, longest first.

    :param material: what was entered as a private key.
    """
    forms = {material, material.strip()}
    # Lines as they were entered; a run this long is not a word of a comment.
    forms.update(line.strip() for line in material.splitlines() if re.search(r"[\w+/=%-]{16,}", line))
    text: str | None = material
    while text is not None:
        forms.add(text)
        sections = read_sections(text)
        for section in sections:
            forms.update(_forms_of(section))
        text = text_inside(sections[0]) if not sections[0].label else None
    for form in tuple(forms):
        forms.update((json.dumps(form)[1:-1], repr(form)[1:-1], form.replace("\r", "\\r").replace("\n", "\\n")))
    kept = (form for form in forms if len(form) >= 8 and not is_only_markers(form))
    return tuple(sorted(kept, key=lambda form: (-len(form), form)))


def _forms_of(section: Section) -> Iterator[str]:
    yield from section.headers.splitlines()
    words = section.body.split()
    if all(re.fullmatch(r"[\w+/=-]+", word) for word in words):
        yield from words
        yield "".join(words)
    try:
        pem, lines = section.pem(), section.lines()
    except UnusableKeyError:
        return
    yield from ("".join(lines), *lines)
    if section.label:
        yield from (pem, pem.strip())


class _Found(NamedTuple):
    """A key, or a key store, still closed: its kind as :func:`unusable_keys.kind_of_binary` calls it."""

    kind: str
    data: bytes
    repairs: tuple[str, ...] = ()


def _find(material: str | bytes) -> tuple[_Found, ...]:
    if isinstance(material, str):
        return _find_in_text(material)
    text = decode_text(material)
    if text is None:
        kind = unusable_keys.kind_of_binary(material)
        if kind != "unknown":
            return (_Found(kind, material),)
        text = material.decode("latin-1")  # there may be comments in an old encoding around a PEM key
    return _find_in_text(text)


def _find_in_text(text: str) -> tuple[_Found, ...]:
    sections = read_sections(text)
    if not sections[0].label:
        return _find_in_base64(text, sections[0])
    keys = [section for section in sections if section.label.endswith("PRIVATE KEY") or "12" in section.label]
    if not keys:
        raise unusable_keys.fault_of_label(sections[0].label)
    return tuple(_found_in(section) for section in keys)


def _find_in_base64(text: str, section: Section) -> tuple[_Found, ...]:
    fault = unusable_keys.fault_of_text(unwrapped(text))
    if fault:
        raise fault
    inside = text_inside(section)
    if inside is not None:
        return tuple(key._replace(repairs=("base64 stood around it", *key.repairs)) for key in _find_in_text(inside))
    found = _found_in(section)
    if found.kind == "unknown":
        raise UnusableKeyError(unusable_keys.UNRECOGNISED)
    return (found,)


def _found_in(section: Section) -> _Found:
    if section.headers:
        if not any(cipher in section.headers for cipher in _PKCS1_CIPHERS):
            raise UnusableKeyError(unusable_keys.OTHER_CIPHER)
        return _Found("encrypted pkcs1", section.pem().encode("ascii"), section.repairs)
    data = section.contents()
    kind = unusable_keys.kind_of_binary(data)
    if kind == "unknown" and section.label:
        raise UnusableKeyError(unusable_keys.DAMAGED)
    return _Found(kind, data, section.repairs)


def _refuse_needless(
    found: tuple[_Found, ...], passphrase: str | None, key_alias: str | None, key_passphrase: str | None
) -> None:
    if passphrase and not any(key.kind.startswith("encrypted") for key in found):
        raise UnusableKeyError(_NEEDLESS_PASSPHRASE, PASSPHRASE)
    if key_alias:
        raise UnusableKeyError(_NEEDLESS_ALIAS, KEY_ALIAS)
    if key_passphrase:
        raise UnusableKeyError(_NEEDLESS_KEY_PASSPHRASE, KEY_PASSPHRASE)


def _from_pem(found: _Found, passphrase: str | None) -> SigningKey:
    secret = None
    if found.kind.startswith("encrypted"):
        if not passphrase:
            raise UnusableKeyError(_NO_PASSPHRASE, PASSPHRASE)
        secret = passphrase.encode("utf-8", "surrogatepass")
    return _signing_key(found, secret, UnusableKeyError(_WRONG_PASSPHRASE, PASSPHRASE))


def _from_store(found: _Found, key: OpenedKey) -> SigningKey:
    return _signing_key(_Found("pkcs8", key.pkcs8), key.passphrase, key.wrong, key.alias)


def _signing_key(
    found: _Found, passphrase: bytes | None, wrong: UnusableKeyError, alias: str | None = None
) -> SigningKey:
    if len(found.data) > LARGEST_KEY:
        raise UnusableKeyError(unusable_keys.TOO_LONG)
    load = load_pem_private_key if found.kind == "encrypted pkcs1" else load_der_private_key
    if passphrase is not None and load is load_der_private_key:
        check_cost(found.data)
    try:
        # To prove that the primes of a long key are prime takes a minute.
        is_long = len(found.data) > _LONG
        key = load(found.data, passphrase, unsafe_skip_rsa_key_validation=is_long)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
        # For some ciphers cryptography has only a ValueError; its text then begins so.
        if isinstance(error, UnsupportedAlgorithm) or str(error).startswith("Unknown"):
            raise UnusableKeyError(unusable_keys.OTHER_CIPHER) from None
        raise (UnusableKeyError(unusable_keys.DAMAGED) if passphrase is None else wrong) from None
    if isinstance(key, EllipticCurvePrivateKey):
        raise UnusableKeyError(unusable_keys.EC_KEY)
    if isinstance(key, Ed25519PrivateKey):
        raise UnusableKeyError(unusable_keys.ED25519_KEY)
    if not isinstance(key, RSAPrivateKey):
        raise UnusableKeyError(unusable_keys.OTHER_KEY)
    if key.key_size < _MINIMUM_BITS:
        raise UnusableKeyError(unusable_keys.TOO_SHORT)
    if is_long and not _signs(key):
        raise UnusableKeyError(unusable_keys.DAMAGED)
    return SigningKey(key, _fingerprint(key.public_key()), found.repairs, alias)


def _signs(key: RSAPrivateKey) -> bool:
    """Whether a key signs as its public half expects."""
    try:
        signature = key.sign(b"", PKCS1v15(), SHA256())
        key.public_key().verify(signature, b"", PKCS1v15(), SHA256())
    except (ValueError, InternalError, InvalidSignature):
        return False
    return True


def _fingerprint(key: CertificatePublicKeyTypes) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + hashlib.sha256(der).hexdigest()
