"""A key says itself what it costs to open: what would take hours is refused."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.salesforce.auth.key_costs import MOST_ROUNDS, check_cost
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import UnusableKeyError

#: Of scrypt and of PBKDF2: RFC 7914 section 7, RFC 8018 appendix A.2.
SCRYPT, PBKDF2 = "06092b06010401da47040b", "06092a864886f70d01050c"


def element(tag: int, *contents: bytes) -> bytes:
    """DER of one element."""
    content = b"".join(contents)
    length = len(content).to_bytes(2, "big")
    return bytes([tag]) + (b"\x82" + length if len(content) > 127 else length[1:]) + content


def integer(number: int) -> bytes:
    return element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def protected(derivation: str, *numbers: int) -> bytes:
    """An EncryptedPrivateKeyInfo with these parameters of its derivation."""
    parameters = element(0x30, element(0x04, b"salt"), *map(integer, numbers))
    algorithm = element(0x30, bytes.fromhex(derivation), parameters)
    return element(0x30, element(0x30, algorithm), element(0x04, bytes(200)))


@pytest.mark.parametrize(
    "der",
    [
        protected(PBKDF2, 600_000),
        protected(PBKDF2, MOST_ROUNDS),
        protected(SCRYPT, 16_384, 8, 1),
        protected(SCRYPT),
        b"",
        b"\x30",
        b"\x30\x00",
        protected(PBKDF2, MOST_ROUNDS + 1)[:-1],  # is cut off: whoever reads it says so
    ],
)
def test_what_is_cheap_or_no_key_passes(der: bytes) -> None:
    check_cost(der)


@pytest.mark.parametrize(
    "der",
    [
        protected(PBKDF2, MOST_ROUNDS + 1),
        protected(SCRYPT, 2**24, 8, 1),
        protected(SCRYPT, 16_384, 8, 2**20),
        protected(SCRYPT, -16_384, 8, 1),
    ],
)
def test_what_would_take_hours_is_refused(der: bytes) -> None:
    with pytest.raises(UnusableKeyError, match="more rounds, or more memory, than are spent"):
        check_cost(der)
