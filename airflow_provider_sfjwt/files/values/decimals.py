"""Numbers as Salesforce prints them into decimals with 18 decimal places, and nothing lost without a count.

Salesforce keeps numbers as Java doubles and enforces a field's described scale in its own pages only, so a number may
have more decimal places than described, and an exponent: ``1300.56172841``, ``0.0033333333333333335``,
``1.6147805824397E13``. https://help.salesforce.com/s/articleView?id=000387302
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import texts

#: Digits in all, and after the point. 20 digits are left before the point: more than any number field holds.
PRECISION, SCALE = 38, 18
DECIMAL = pa.decimal128(PRECISION, SCALE)
#: Wide enough for nearly every double below the limit. What has more decimal places is converted one by one.
_WIDE = pa.decimal256(76, 40)
_PLACES = Decimal(1).scaleb(-SCALE)
_LIMIT = Decimal(10) ** (PRECISION - SCALE)
_ROUNDING = Context(prec=PRECISION + 1, rounding=ROUND_HALF_EVEN)
#: Python's Decimal takes more than Salesforce prints: spaces, underscores and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?|NaN|Infinity)")


class TooLargeError(ValueError):
    """A number of 1e20 or more, which ``decimal128(38, 18)`` cannot hold, or one that is not finite."""


def to_decimals(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """Convert the text of numbers, rounding half-even after the 18th decimal place.

    :param values: text, as Salesforce prints numbers; null stays null.
    :return: the numbers as ``decimal128(38, 18)``, and how many of them were rounded.
    :raises TooLargeError: when a number does not fit.
    :raises pyarrow.ArrowInvalid: when a value is not a number.
    """
    try:
        wide = values.cast(_WIDE)
    except pa.ArrowInvalid:
        return _one_by_one(values)
    rounded = pc.round(wide, ndigits=SCALE, round_mode="half_to_even")
    try:
        narrow = rounded.cast(DECIMAL)
    except pa.ArrowInvalid as error:
        raise TooLargeError(str(error)) from None
    return narrow, pc.sum(pc.not_equal(rounded, wide)).as_py() or 0


def _one_by_one(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """Convert values that Arrow's own conversion refuses: very small ones, very large ones, and text."""
    converted: list[str | None] = []
    count = 0
    for text in values.to_pylist():
        number = None if text is None else _number(text)
        if number is None:
            converted.append(None)
            continue
        if not number.is_finite() or abs(number) >= _LIMIT:
            raise TooLargeError(f"{text[:40]} does not fit decimal128({PRECISION}, {SCALE})")
        rounded = number.quantize(_PLACES, context=_ROUNDING)
        if abs(rounded) >= _LIMIT:
            raise TooLargeError(f"{text[:40]} does not fit decimal128({PRECISION}, {SCALE})")
        count += rounded != number
        converted.append(f"{rounded:f}")
    return pa.chunked_array([texts(converted)]).cast(DECIMAL), count


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise pa.ArrowInvalid(f"'{text[:40]}' is not a number")
    return Decimal(text)
