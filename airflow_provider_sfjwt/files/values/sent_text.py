"""What the cells of each type of field look like in the form that is sent. Text in that form is right as it is."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import texts
from airflow_provider_sfjwt.files.values.cells import NULL
from airflow_provider_sfjwt.files.values.marks import marked, outside_days

_DAY = (
    r"(?:1[7-9]|[23]\d)\d\d-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z"
_NUMBER = r"(?:0|-?(?:[1-9]\d{0,30}|0\.\d{0,30}[1-9]|[1-9]\d{0,30}\.\d{0,30}[1-9]))"
_SURPLUS_ZEROS = r"^(-?\d+)(?:\.0+|(\.\d*[1-9])0+)$"
#: Types of fields whose cells are numbers with digits after the point.
NUMBERS = ("double", "currency", "percent")
_FORMS = {
    "boolean": "true|false",
    "int": r"0|-?[1-9]\d{0,8}",
    "long": r"0|-?[1-9]\d{0,17}",
    **dict.fromkeys(NUMBERS, _NUMBER),
    "date": _DAY,
    "datetime": f"{_DAY}T{_CLOCK}",
    "time": _CLOCK,
}
_LENGTH = len("2026-01-31T12:00:00.000Z")


def without_odd(cells: pa.Array, kind: str) -> tuple[pa.Array, pa.Array | None]:
    """Look at the text of a column.

    :param cells: the text.
    :param kind: the type of the field, as its description says.
    :return: the text, of numbers without surplus zeros; and a mark for each that must be written one by one, or None
        where there are none.
    """
    if kind not in _FORMS or _are_days(cells, kind):
        return cells, None
    odd = odd_text(cells, kind)
    if odd is None or kind not in NUMBERS:
        return cells, odd
    fewer = pc.replace_substring_regex(cells.filter(odd), _SURPLUS_ZEROS, r"\1\2")
    cells = pc.replace_with_mask(cells, odd, fewer)
    still = odd_text(fewer, kind)
    return cells, None if still is None else pc.replace_with_mask(odd, odd, still)


def odd_text(cells: pa.Array, kind: str) -> pa.Array | None:
    """Mark texts that do not look like the cells of a field; None where there are none.

    :param cells: the text.
    :param kind: the type of the field, which has a form.
    """
    if kind == "boolean":
        sent = pc.is_in(cells, value_set=texts(["true", "false", NULL, None]))
    else:
        sent = pc.match_substring_regex(cells, f"^(?:{_FORMS[kind]}|{NULL})$")
    return marked(pc.invert(sent))


def _are_days(cells: pa.Array, kind: str) -> bool:
    """Whether all texts are days, or moments, in the form that is sent. Arrow's own reading of them is fast."""
    try:
        if kind == "date":
            return outside_days(cells.cast(pa.date32())) is None
        if kind != "datetime":
            return False
        lengths = pc.min_max(pc.binary_length(cells))
        if {lengths["min"].as_py(), lengths["max"].as_py()} - {None, _LENGTH}:
            return False
        in_form = pc.and_(pc.ends_with(cells, "Z"), pc.match_substring(cells, "T"))
        return bool(pc.all(in_form).as_py()) and outside_days(cells.cast(pa.timestamp("ms", "UTC"))) is None
    except pa.ArrowInvalid:  # one is something else
        return False
