"""What somebody entered as a private key that is not one, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

PASSPHRASE: Final = "Key or key-store passphrase"
KEY_ALIAS: Final = "Key alias"
KEY_PASSPHRASE: Final = "Key passphrase"

MAKE_A_NEW_KEY: Final = "make an RSA key of 2048 bits or more, and upload its certificate to Salesforce"

EMPTY: Final = "there is no key in it; paste the private key, or name its file in Key file"
UNRECOGNISED: Final = "this is not a key in a known format; enter a PEM, DER, PKCS#12 or JKS private key"
NO_BODY: Final = "the BEGIN and END lines have no key between them; copy all lines of the key"
TRUNCATED: Final = "the key is cut off; copy the whole of it again"
DAMAGED: Final = "the key is damaged and cannot be repaired; copy it again from its source"
FOREIGN: Final = "there are characters in the key that do not belong to a key; copy it again from its source"
LOST_PLUS: Final = "spaces stand where plus signs were, which cannot be undone; copy the key again from its source"
TOO_SHORT: Final = f"the RSA key is shorter than the 2048 bits that Salesforce wants; {MAKE_A_NEW_KEY}"
OTHER_CIPHER: Final = (
    "the key is encrypted in a way that cannot be read here; save it with `openssl pkcs8 -topk8 -v2 aes-256-cbc "
    "-provider default -provider legacy -in <file> -out new.key`"
)
DAMAGED_STORE: Final = "the key store is cut off or damaged; copy the file again, as binary or in base64"
TOO_LONG: Final = f"the key is longer than any that Salesforce takes; {MAKE_A_NEW_KEY}"
TOO_COSTLY: Final = (
    "the key is protected by more rounds, or more memory, than are spent on opening one; save it with `openssl pkcs8 "
    "-topk8 -v2 aes-256-cbc -in <file> -out new.key`"
)
#: Bytes of a private key of 16,384 bits, the most that OpenSSL signs with, with room for what encryption adds.
LARGEST_KEY: Final = 2**14
NO_KEY_IN_STORE: Final = "the key store holds no private key; export it together with its private key"

CERTIFICATE: Final = "this is a certificate, which is public; enter the private key that belongs to it"
PUBLIC_KEY: Final = "this is a public key; enter the private key that belongs to it"
REQUEST: Final = "this is a certificate signing request; enter the private key that it was made with"
PKCS7: Final = "this is a PKCS#7 bundle of certificates, which has no key; enter the private key"
EC_KEY: Final = f"this is an EC key, but Salesforce takes only RSA keys; {MAKE_A_NEW_KEY}"
ED25519_KEY: Final = f"this is an Ed25519 key, but Salesforce takes only RSA keys; {MAKE_A_NEW_KEY}"
OTHER_KEY: Final = f"this private key is not an RSA key, and Salesforce takes only RSA keys; {MAKE_A_NEW_KEY}"
OPENSSH_KEY: Final = (
    "this key is in OpenSSH's own format; convert a copy of it with `ssh-keygen -p -m PEM -f <file>` and enter that"
)
JCEKS_STORE: Final = (
    "this is a JCEKS key store; convert it with "
    "`keytool -importkeystore -srckeystore <file> -destkeystore key.p12 -deststoretype PKCS12`"
)
BOUNCY_CASTLE_STORE: Final = (
    "this is a key store of Bouncy Castle (BKS, UBER or BCFKS); convert it with `keytool -importkeystore -srckeystore "
    "<file> -srcstoretype <BKS, UBER or BCFKS> -destkeystore key.p12 -deststoretype PKCS12 -provider "
    "org.bouncycastle.jce.provider.BouncyCastleProvider -providerpath <bcprov.jar>`"
)
PVK_KEY: Final = "this is a PVK key of Windows; convert it with `openssl rsa -inform PVK -in <file> -out new.key`"


class UnusableKeyError(Exception):
    """Why a text is not a usable key, before it is known which form field supplied it.

    :param sentence: what it is and what to do; it never holds any part of what was entered.
    :param field: the label of the field to change, or None for the field that supplied the key.
    """

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


# RFC 7468 names these labels, and OpenSSL and OpenSSH the others:
# https://www.rfc-editor.org/rfc/rfc7468#section-4 · https://docs.openssl.org/3.0/man3/PEM_read_bio_PrivateKey/
_NOT_KEYS_BY_LABEL: Final = (
    (re.compile(r"REQUEST"), REQUEST),
    (re.compile(r"CERTIFICATE"), CERTIFICATE),
    (re.compile(r"PUBLIC"), PUBLIC_KEY),
    (re.compile(r"PKCS7|CMS"), PKCS7),
)


def fault_of_label(label: str) -> UnusableKeyError:
    """Say what a PEM block is that is labelled as something other than a private key.

    :param label: the words after BEGIN.
    """
    return UnusableKeyError(next((said for pattern, said in _NOT_KEYS_BY_LABEL if pattern.search(label)), UNRECOGNISED))


_NOT_KEYS_BY_TEXT: Final = (
    (re.compile(r"\s*"), EMPTY),
    (re.compile(r"\*+"), "these stars are what Airflow shows in place of a hidden value; enter the private key again"),
    (re.compile(r"ssh-(?:rsa|dss|ed25519)\s.*|ecdsa-sha2-.*", re.DOTALL), PUBLIC_KEY),
    (
        re.compile(r"PuTTY-User-Key-File-.*", re.DOTALL),
        "this is a PuTTY key; in PuTTYgen choose Conversions, then Export OpenSSH key, and enter that",
    ),
    (
        re.compile(r"\{.*\"(?:kty|keys)\".*", re.DOTALL),
        "this is a JSON Web Key, which is not read here; convert it to PEM and enter that",
    ),
    (
        re.compile(r"[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE),
        "this is an address, not a key; paste the key itself, or name a file on the worker in Key file",
    ),
    # A JKS store in base64 begins with a slash too.
    (
        re.compile(r"(?!/u3\+7)(?:~|\.{0,2}[/\\]|[a-z]:[/\\]).{0,300}|.{1,300}\.(?:pem|key|p12|pfx|jks|der|ppk)", re.I),
        "this looks like a path: use Key file for the path of a key, and Private key only for the key itself",
    ),
    (
        re.compile(r"3MVG[\w.]+"),
        "this looks like a consumer key: enter it as Consumer key, and the private key here",
    ),
)


def fault_of_text(text: str) -> UnusableKeyError | None:
    """Say what a text without BEGIN and END lines is, unless it could be base64.

    :param text: what was entered.
    """
    entered = text.strip().strip("\"'")
    return next((UnusableKeyError(said) for pattern, said in _NOT_KEYS_BY_TEXT if pattern.fullmatch(entered)), None)


# The tags of the elements inside the outer SEQUENCE tell the formats apart. PKCS#1: RFC 8017 A.1.2;
# PKCS#8: RFC 5958; PKCS#12: RFC 7292; EC keys: RFC 5915; certificates: RFC 5280; requests: RFC 2986.
_SHAPES: Final = (
    (re.compile(r"(02 ){9}(30 )?"), "pkcs1"),
    (re.compile(r"02 30 04 (a0 )?([8a]1 )?"), "pkcs8"),
    (re.compile(r"30 04 "), "encrypted pkcs8"),
    (re.compile(r"02 30 (30 )?"), "pkcs12"),
)
_NOT_KEYS_BY_SHAPE: Final = (
    (re.compile(r"02 04 (a0 )?(a1 )?"), EC_KEY),
    (re.compile(r"(02 ){6}"), OTHER_KEY),
    (re.compile(r"30 03 |02 02 "), PUBLIC_KEY),
    (re.compile(r"06 a0 "), PKCS7),
)
_BCFKS: Final = re.compile(r"30 30 ")
_SIGNED: Final = re.compile(r"30 30 03 ")
_REQUEST_INFO: Final = re.compile(r"02 30 30 (a0 )?")
_NOT_KEYS_BY_BEGINNING: Final = (
    (re.compile(rb"\xce\xce\xce\xce"), JCEKS_STORE),
    # BKS and UBER begin with their version, 0 to 2, and a salt of 20 bytes with its length before it.
    # https://github.com/bcgit/bc-java/blob/main/prov/src/main/java/org/bouncycastle/jcajce/provider/keystore/bc/BcKeyStoreSpi.java
    (re.compile(rb"\0\0\0[\0-\2]\0\0\0\x14", re.DOTALL), BOUNCY_CASTLE_STORE),
    (re.compile(rb"\x1e\xf1\xb5\xb0"), PVK_KEY),
    (re.compile(rb"openssh-key-v1\0"), OPENSSH_KEY),
)


def kind_of_binary(data: bytes) -> str:
    """Tell a key's format by its first bytes and its outermost ASN.1 elements.

    :param data: a whole file, or a decoded base64 body.
    :return: ``pkcs1``, ``pkcs8``, ``encrypted pkcs8``, ``pkcs12``, ``jks`` or ``unknown``.
    :raises UnusableKeyError: where it is a known thing that is of no use here.
    """
    if data.startswith(b"\xfe\xed\xfe\xed"):
        return "jks"
    for beginning, sentence in _NOT_KEYS_BY_BEGINNING:
        if beginning.match(data):
            raise UnusableKeyError(sentence)
    length = der_length(data)
    if length is None and not _is_one_element(data):
        return "unknown"
    if length is not None and length > len(data):
        raise UnusableKeyError(TRUNCATED)
    inside = list(_elements(data, *_span(data, 0)))
    tags = _tags(data, inside)
    if _SIGNED.fullmatch(tags):
        request = _REQUEST_INFO.fullmatch(_tags(data, _elements(data, *_span(data, inside[0]))))
        raise UnusableKeyError(REQUEST if request else CERTIFICATE)
    # BCFKS: the encrypted store, then its check: an algorithm and a text each.
    if _BCFKS.fullmatch(tags) and _tags(data, _elements(data, *_span(data, inside[0]))) == "30 04 ":
        raise UnusableKeyError(BOUNCY_CASTLE_STORE)
    for pattern, sentence in _NOT_KEYS_BY_SHAPE:
        if pattern.fullmatch(tags):
            raise UnusableKeyError(sentence)
    return next((kind for pattern, kind in _SHAPES if pattern.fullmatch(tags)), "unknown")


def _tags(data: bytes, elements: Iterable[int]) -> str:
    return "".join(f"{data[at]:02x} " for at in elements)


def der_length(data: bytes) -> int | None:
    """Read from the first bytes of DER how many bytes there must be, or None where it is not DER of a key's size.

    :param data: at least the first six bytes.
    """
    if len(data) < 6 or data[0] != 0x30 or data[1] not in (0x80, 0x81, 0x82, 0x83):
        return None
    return _span(data, 0)[1]


def _is_one_element(data: bytes) -> bool:
    # Keys on curves are so short that their first bytes alone prove nothing.
    return len(data) > 2 and data[0] == 0x30 and _span(data, 0)[1] == len(data)


def _elements(data: bytes, start: int, end: int) -> Iterator[int]:
    at = start
    while at + 2 <= min(end, len(data)):
        yield at
        at = _span(data, at)[1]


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Find where an element's content begins and ends: X.690 8.1.3, https://www.itu.int/rec/T-REC-X.690."""
    first = data[at + 1]
    if first == 0x80:  # an indefinite length, which old PKCS#12 writers use
        return at + 2, len(data)
    if first < 0x80:
        return at + 2, at + 2 + first
    start = at + 2 + (first & 0x7F)
    return start, start + int.from_bytes(data[at + 2 : start], "big")
