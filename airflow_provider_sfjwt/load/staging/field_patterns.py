"""How the text of each type's values looks, and the one form in which it is sent over Bulk API 2.0 and REST alike.

Needs the extra ``parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts
from airflow_provider_sfjwt.load.columns import LoadColumn

#: The text that sets a field to null.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_valid_record_rows.htm
NULL = "#N/A"

_DAY = r"\d{4}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01])"
_ZONE = r"(?:\s*(?:[zZ]|[+-]\d{2}(?::?\d{2})?))?"
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
_TEN_DIGITS = r"1\d{9}|20\d{8}|21[0-4]\d{7}"
_INT = rf"[+-]?0*(?:\d{{1,9}}|{_TEN_DIGITS})"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?0*\d{1,3})?[dDfF]?"
_RECORD_ID = r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?"

_WHOLE_TYPES = frozenset(("int", "long"))
#: A whole number that may have been written with a fraction or an exponent. Longer ones are none of 64 bits.
_WRITTEN_ODDLY = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LONGEST_WHOLE = 40


@dataclass(frozen=True)
class Form:
    """How the text of a type's values looks.

    :param pattern: of what Salesforce may take; nothing and ``#N/A`` are taken as well, spaces around are not: Bulk API
        2.0 trims no value.
    :param words: what is wrong with a cell that does not look so.
    :param quick: what all cells can be cast to, as a rule; quicker than the pattern.
    """

    pattern: str
    words: str
    quick: Any = None


_NUMERIC = Form(_NUMBER, "is no number", pa.float64())
#: By the type of the field.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
FORMS = {
    "boolean": Form("(?i:true|yes|y|on|1|false|no|n|off|0)", "is neither true nor false", pa.bool_()),
    "int": Form(_INT, "is no whole number of 32 bits", pa.int32()),
    "long": Form(r"[+-]?0*\d{1,19}", "is no whole number of 64 bits", pa.int64()),
    "double": _NUMERIC,
    "currency": _NUMERIC,
    "percent": _NUMERIC,
    "date": Form(rf"{_DAY}(?:[tT ].*\S|{_ZONE})", "is no date as 2026-01-31", pa.date32()),
    "datetime": Form(
        rf"{_DAY}(?:[tT ]\s*{_CLOCK})?{_ZONE}",
        "is no date and time as 2026-01-31T12:00:00.000Z",
        pa.timestamp("us", "UTC"),
    ),
    "time": Form(rf"{_CLOCK}{_ZONE}", "is no time as 12:00:00.000Z"),
    "id": Form(_RECORD_ID, "is no record id of 15 or 18 letters and digits"),
}


def in_plain_form(table: pa.Table, columns: Sequence[LoadColumn]) -> pa.Table:
    """Write whole numbers without a fraction or exponent: ``5.0`` and ``1e2`` as ``5`` and ``100``.

    REST would take the one for the other, and Bulk API 2.0 refuses them in the field of a whole number. What is no
    whole number stays as it is.

    :param table: the cells as text, under the columns' headers.
    :param columns: what is sent, in the order of the table.
    """
    for place, column in enumerate(columns):
        if column.field["type"] not in _WHOLE_TYPES:
            continue
        cells = table.column(place)
        odd = pc.match_substring_regex(cells, "[.eE]").fill_null(scalar(False))
        if not pc.any(odd).as_py():
            continue
        plain = texts([_whole(text) for text in cells.filter(odd).to_pylist()])
        whole, mask = pa.concat_arrays(cells.chunks), pa.concat_arrays(odd.chunks)
        table = table.set_column(place, column.header, pc.replace_with_mask(whole, mask, plain))
    return table


def _whole(text: str) -> str:
    if len(text) > _LONGEST_WHOLE or not _WRITTEN_ODDLY.fullmatch(text):
        return text
    number = Decimal(text)
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number and whole.adjusted() < 20 else text
