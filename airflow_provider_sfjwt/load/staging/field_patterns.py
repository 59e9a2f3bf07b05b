"""What the text of a value looks like, by the type of its field."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

_DAY = r"\d{4}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01])"
_ZONE = r"(?:\s*(?:[zZ]|[+-]\d{2}(?::?\d{2})?))?"
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
_TEN_DIGITS = r"1\d{9}|20\d{8}|21[0-4]\d{7}"
_INT = rf"[+-]?0*(?:\d{{1,9}}|{_TEN_DIGITS})"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?0*\d{1,3})?[dDfF]?"
_RECORD_ID = r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?"


@dataclass(frozen=True)
class FieldPattern:
    """What the text of a type's values looks like.

    :param pattern: a regular expression for what Salesforce may accept. Empty cells and ``#N/A`` are accepted as well.
        Surrounding spaces are not: Bulk API 2.0 trims no value.
    :param words: the message for a cell that does not match.
    :param arrow_type: most correct columns can be cast to it as a whole, which is faster than matching; None where the
        pattern must always be matched.
    """

    pattern: str
    words: str
    arrow_type: pa.DataType | None = None


_NUMERIC = FieldPattern(_NUMBER, "is not a number", pa.float64())
#: By the type of the field.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
PATTERNS = {
    "boolean": FieldPattern("(?i:true|yes|y|on|1|false|no|n|off|0)", "is neither true nor false", pa.bool_()),
    "int": FieldPattern(_INT, "is not a whole number of 32 bits", pa.int32()),
    "long": FieldPattern(r"[+-]?0*\d{1,19}", "is not a whole number of 64 bits", pa.int64()),
    "double": _NUMERIC,
    "currency": _NUMERIC,
    "percent": _NUMERIC,
    "date": FieldPattern(rf"{_DAY}(?:[tT ].*\S|{_ZONE})", "is not a date like 2026-01-31", pa.date32()),
    "datetime": FieldPattern(
        rf"{_DAY}(?:[tT ]\s*{_CLOCK})?{_ZONE}",
        "is not a date and time like 2026-01-31T12:00:00.000Z",
        pa.timestamp("us", "UTC"),
    ),
    "time": FieldPattern(rf"{_CLOCK}{_ZONE}", "is not a time like 12:00:00.000Z"),
    "id": FieldPattern(_RECORD_ID, "is not a record id of 15 or 18 letters and digits"),
}
