"""JSON of others, decoded: what cannot be decoded is one kind of error, however it was made to fail."""

from __future__ import annotations

import json
from typing import Any


def decode_json(text: str | bytes, *, numbers_as_text: bool = False) -> Any:
    """Decode JSON.

    :param text: of anybody.
    :param numbers_as_text: whether numbers come back as text with all their digits.
    :return: the value.
    :raises ValueError: for all that is not JSON, and for what nests deeper, or has longer numbers, than Python reads.
    """
    number = str if numbers_as_text else None
    try:
        return json.loads(text, parse_float=number, parse_int=number)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def whole_number(text: str) -> int | None:
    """A number of a header, or None where it is not one.

    :param text: decimal digits; more than 18 are not a number of anything.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
