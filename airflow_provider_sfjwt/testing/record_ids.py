"""Salesforce record ids: 15 characters in base 62, and 3 that make them safe where case is lost."""

from __future__ import annotations

import re

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "5e"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\Z")


def with_suffix(id15: str) -> str:
    """Return the 18-character form of a 15-character id.

    https://help.salesforce.com/s/articleView?id=000385008
    """
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, char in enumerate(id15[start : start + 5]) if "A" <= char <= "Z")
        suffix += _SUFFIX[bits]
    return id15 + suffix


def record_id(key_prefix: str, number: int) -> str:
    """Return the id of the number-th record of an object.

    :param key_prefix: the object's three-character prefix, such as ``001``.
    :param number: from 1.
    """
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return with_suffix(f"{key_prefix}{_POD}{digits:0>10}")


def canonical_id(text: str) -> str | None:
    """Return the 18-character form of what may be an id in either form, None where it is no id."""
    if not _ID.match(text):
        return None
    return with_suffix(text[:15])
