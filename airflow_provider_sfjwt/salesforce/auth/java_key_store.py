"""Java's own key-store format, JKS, as far as private keys need it.

The format is what ``sun.security.provider.JavaKeyStore`` and ``KeyProtector`` of OpenJDK read and write:
https://github.com/openjdk/jdk17u/blob/master/src/java.base/share/classes/sun/security/provider/JavaKeyStore.java
"""

from __future__ import annotations

import hashlib
import hmac
import io
import struct
from typing import Final, NamedTuple

from airflow_provider_sfjwt.salesforce.auth.unusable_keys import DAMAGED_STORE, LARGEST_KEY, UnusableKeyError

_PRIVATE_KEY, _CERTIFICATE = 1, 2
_KEY_PROTECTOR: Final = "1.3.6.1.4.1.42.2.17.1.1"
_DIGEST_SIZE: Final = hashlib.sha1().digest_size


class StoredKey(NamedTuple):
    """A private key in a store, still protected.

    :param alias: the name of its entry.
    :param protected: DER of an EncryptedPrivateKeyInfo, or of a PrivateKeyInfo where it is not encrypted.
    """

    alias: str
    protected: bytes


def read_jks(data: bytes) -> tuple[StoredKey, ...]:
    """List the private keys of a store.

    :param data: the whole file.
    :raises UnusableKeyError: where the file is cut off or damaged.
    """
    stream = io.BytesIO(data[:-_DIGEST_SIZE])
    _, version, count = _numbers(stream, ">4sII")
    keys = []
    for _ in range(count):
        (tag,) = _numbers(stream, ">I")
        alias = _sized(stream, ">H").decode("utf-8", "replace")
        _take(stream, 8)  # when it was made
        if tag == _PRIVATE_KEY:
            keys.append(StoredKey(alias, _sized(stream, ">I")))
            (certificates,) = _numbers(stream, ">I")
        elif tag == _CERTIFICATE:
            certificates = 1
        else:
            raise UnusableKeyError(DAMAGED_STORE)
        for _ in range(certificates):
            if version == 2:
                _sized(stream, ">H")  # the certificate's type, which is always X.509
            _sized(stream, ">I")
    return tuple(keys)


def is_store_passphrase(data: bytes, passphrase: str) -> bool:
    """Check the digest at a store's end, which covers its passphrase and all that it holds.

    :param data: the whole file.
    :param passphrase: the store's.
    """
    digest = hashlib.sha1(_password(passphrase) + b"Mighty Aphrodite" + data[:-_DIGEST_SIZE]).digest()
    return hmac.compare_digest(digest, data[-_DIGEST_SIZE:])


def unprotect(protected: bytes, passphrase: str) -> bytes | None:
    """Undo the protection of a key, or return None where the passphrase is another.

    :param protected: DER of an EncryptedPrivateKeyInfo.
    :param passphrase: the key's.
    :return: DER of a PrivateKeyInfo.
    :raises UnusableKeyError: where the key is protected in another way.
    """
    from asn1crypto.keys import EncryptedPrivateKeyInfo

    try:
        info = EncryptedPrivateKeyInfo.load(protected)
        algorithm, sealed = info["encryption_algorithm"]["algorithm"].native, info["encrypted_data"].native
    except (ValueError, TypeError):
        raise UnusableKeyError(DAMAGED_STORE) from None
    if algorithm != _KEY_PROTECTOR:
        raise UnusableKeyError(DAMAGED_STORE)
    password = _password(passphrase)
    digest, encrypted, check = sealed[:_DIGEST_SIZE], sealed[_DIGEST_SIZE:-_DIGEST_SIZE], sealed[-_DIGEST_SIZE:]
    if len(encrypted) > LARGEST_KEY:
        raise UnusableKeyError(DAMAGED_STORE)
    stream = bytearray()
    while len(stream) < len(encrypted):
        digest = hashlib.sha1(password + digest).digest()
        stream += digest
    plain = bytes(byte ^ mask for byte, mask in zip(encrypted, stream, strict=False))
    return plain if hmac.compare_digest(hashlib.sha1(password + plain).digest(), check) else None


def _password(passphrase: str) -> bytes:
    return passphrase.encode("utf-16-be", "surrogatepass")


def _numbers(stream: io.BytesIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, _take(stream, struct.calcsize(layout)))


def _sized(stream: io.BytesIO, layout: str) -> bytes:
    return _take(stream, _numbers(stream, layout)[0])


def _take(stream: io.BytesIO, size: int) -> bytes:
    taken = stream.read(size)
    if len(taken) < size:
        raise UnusableKeyError(DAMAGED_STORE)
    return taken
