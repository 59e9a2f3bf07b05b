"""Salesforce record ids: 15 characters in base 62, and 3 that make them safe where case is lost."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "5e"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\Z")


def with_suffix(id15: str) -> str:
    """Return the 18-character form of a 15-character id.

    https://help.salesforce.com/s/articleView?id=000385008
    """
    return id15 + _case_of(id15[:5]) + _case_of(id15[5:10]) + _case_of(id15[10:])


@functools.lru_cache(maxsize=4096)
def _case_of(five: str) -> str:
    return _SUFFIX[sum(1 << place for place, char in enumerate(five) if "A" <= char <= "Z")]


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


def record_ids(key_prefix: str, first: int) -> Iterator[str]:
    """Yield the ids of an object's records from a number on, quicker than one by one.

    :param first: from 1.
    """
    block, skipped = divmod(first, 62)
    for number in itertools.count(block):
        start = record_id(key_prefix, number * 62)
        head, suffix = start[:14], start[15:17]
        last = start[10:14]
        for digit in itertools.islice(_BASE62, skipped if number == block else 0, None):
            yield f"{head}{digit}{suffix}{_case_of(last + digit)}"


def canonical_id(text: str) -> str | None:
    """Return the 18-character form of an id in either form, None for a text that is not an id."""
    if not _ID.match(text):
        return None
    return with_suffix(text[:15])
