"""Whole numbers in the one form that Bulk API 2.0 and REST read alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts
from airflow_provider_sfjwt.load.columns import LoadColumn

_WHOLE_TYPES = frozenset(("int", "long"))
#: A whole number that may be written with a fraction or an exponent.
_WITH_FRACTION = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
#: Longer texts are left as they are: they are beyond 64 bits.
_LONGEST = 40
#: Numbers with more digits are left as they are, for the same reason.
_MOST_DIGITS = 20


def in_plain_form(table: pa.Table, columns: Sequence[LoadColumn]) -> pa.Table:
    """Write whole numbers without a fraction or exponent: ``5.0`` and ``1e2`` as ``5`` and ``100``.

    REST reads both forms as the same number, but Bulk API 2.0 refuses the longer one in an integer field. A value that
    is not a whole number stays as it is.

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
        plain = texts([_plain(text) for text in cells.filter(odd).to_pylist()])
        whole, mask = pa.concat_arrays(cells.chunks), pa.concat_arrays(odd.chunks)
        table = table.set_column(place, column.header, pc.replace_with_mask(whole, mask, plain))
    return table


def _plain(text: str) -> str:
    if len(text) > _LONGEST or not _WITH_FRACTION.fullmatch(text):
        return text
    number = Decimal(text)
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number and whole.adjusted() < _MOST_DIGITS else text
