"""What it would cost to open an encrypted key: a file names the rounds and the memory, so that it may ask for hours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from airflow_provider_sfjwt.salesforce.auth.unusable_keys import TOO_COSTLY, UnusableKeyError

#: Rounds of PBKDF2 and of PKCS#12's own derivation by OpenSSL: some seconds. Writers use 2,048 to 1,000,000.
MOST_ROUNDS: Final = 5_000_000
#: Rounds of PKCS#12's MAC, which are computed here: about a second. Writers use 1 to 100,000.
MOST_MAC_ROUNDS: Final = 1_000_000
#: Bytes that scrypt may hold, and may go through. OpenSSL's own default is 16 MiB. https://www.rfc-editor.org/rfc/rfc7914
_SCRYPT_MEMORY, _SCRYPT_WORK = 256 * 2**20, 2**30
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_INTEGER, _SEQUENCE = 0x02, 0x30
_DEEPEST = 6


def check_cost(der: bytes) -> None:
    """Refuse a key that would take too long, or too much memory.

    :param der: of an EncryptedPrivateKeyInfo. What is not one is left to whoever reads it.
    :raises UnusableKeyError: when it costs too much.

    https://www.rfc-editor.org/rfc/rfc8018#appendix-A
    """
    outer = next(_elements(der), None)
    algorithm = next(_elements(outer[1]), None) if outer else None
    if algorithm is None:
        return
    numbers = list(_integers(algorithm[1], 0))
    if _SCRYPT in algorithm[1]:
        cost, block, parallel, *_ = [*numbers, 1, 1, 1]
        held = 128 * cost * block
        if min(cost, block, parallel) < 0 or held > _SCRYPT_MEMORY or held * parallel > _SCRYPT_WORK:
            raise UnusableKeyError(TOO_COSTLY)
    elif any(number > MOST_ROUNDS for number in numbers):
        raise UnusableKeyError(TOO_COSTLY)


def _integers(content: bytes, depth: int) -> Iterator[int]:
    for tag, inside in _elements(content):
        if tag == _INTEGER:
            yield int.from_bytes(inside, "big", signed=True)
        elif tag == _SEQUENCE and depth < _DEEPEST:
            yield from _integers(inside, depth + 1)


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the content of each element, as far as they are whole: X.690 8.1, https://www.itu.int/rec/T-REC-X.690."""
    at = 0
    while at + 2 <= len(content):
        tag, first = content[at], content[at + 1]
        start = at + 2 + (first & 0x7F if first & 0x80 else 0)
        length = int.from_bytes(content[at + 2 : start], "big") if first & 0x80 else first
        if start + length > len(content):
            return
        yield tag, content[start : start + length]
        at = start + length
