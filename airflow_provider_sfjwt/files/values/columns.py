"""The columns of a data set, and how the values of each Salesforce type are kept.

==========================  ============================  =========================  ==========================
Salesforce type             text                          Arrow type                 Python type
==========================  ============================  =========================  ==========================
boolean                     ``true``                      ``bool``                   ``bool``
int, long                   ``-7``                        ``int64``                  ``int``
double, currency, percent   ``12.5``                      ``decimal128(38, 18)``     ``Decimal``
date                        ``2026-11-20``                ``date32``                 ``date``
datetime                    ``2026-11-20T08:00:00.123Z``  ``timestamp[ms, tz=UTC]``  ``datetime`` with a zone
time                        ``10:00:00.000Z``             ``time32[ms]``             ``time``
any other                   as it is                      ``string``                 ``str``
==========================  ============================  =========================  ==========================

Salesforce enforces a field's precision and scale in its own pages only: numbers that came by API, Apex or a formula
keep all their digits (https://help.salesforce.com/s/articleView?id=000387302). So ``numbers`` decides the Arrow type of
a fractional number, not the description.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST_PRECISION = 38  # of decimal128
_FORMULA_SCALE = 18

#: How fractional numbers may be kept: as ``decimal128(38, 18)``, as Salesforce's own doubles, or by their description.
NUMBERS = ("decimal", "float64", "described")
#: Instead of these, for a column whose numbers the type that was asked for cannot hold.
_WIDENED = "widened"


class TooLargeNumbersError(Exception):
    """Numbers do not fit their columns' types, which must be widened: the parts that were written hold another type.

    :param columns: their names.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(f"numbers do not fit {', '.join(columns)}")
        self.columns = tuple(columns)


@dataclass(frozen=True)
class ValueType:
    """How the values of a Salesforce type are kept.

    :param arrow_name: the Arrow type, as the receipt names it.
    :param arrow: makes the Arrow type from the module ``pyarrow`` and the column.
    :param json: what JSON writes a value as.
    :param repeats: whether a column holds few different values, so that Parquet writes a dictionary of them.
    """

    arrow_name: str
    arrow: Callable[[Any, Column], pa.DataType]
    json: Literal["boolean", "number", "string"] = "string"
    repeats: bool = False


_BOOLEAN = ValueType("bool", lambda pa, _: pa.bool_(), json="boolean")
_WHOLE = ValueType("int64", lambda pa, _: pa.int64(), json="number")
_DECIMAL = ValueType(
    "decimal128({precision}, {scale})", lambda pa, column: pa.decimal128(column.digits, column.scale), json="number"
)
_WIDE_DECIMAL = ValueType(
    f"decimal128({_LARGEST_PRECISION}, {_FORMULA_SCALE})",
    lambda pa, _: pa.decimal128(_LARGEST_PRECISION, _FORMULA_SCALE),
    json="number",
)
_DOUBLE = ValueType("float64", lambda pa, _: pa.float64(), json="number")
_DATE = ValueType("date32", lambda pa, _: pa.date32())
_DATETIME = ValueType("timestamp[ms, tz=UTC]", lambda pa, _: pa.timestamp("ms", tz="UTC"))
_TIME = ValueType("time32[ms]", lambda pa, _: pa.time32("ms"))
_TEXT = ValueType("string", lambda pa, _: pa.string())
_CHOICE = ValueType("string", lambda pa, _: pa.string(), repeats=True)

#: One row for each Salesforce type that is kept as more than plain text, as Salesforce describes it.
VALUE_TYPES: Mapping[str, ValueType] = MappingProxyType(
    {
        "boolean": _BOOLEAN,
        "int": _WHOLE,
        "long": _WHOLE,
        "double": _DECIMAL,
        "currency": _DECIMAL,
        "percent": _DECIMAL,
        "date": _DATE,
        "datetime": _DATETIME,
        "time": _TIME,
        "picklist": _CHOICE,
        "multipicklist": _CHOICE,
        "combobox": _CHOICE,
        "reference": _CHOICE,
    }
)


@dataclass(frozen=True)
class Column:
    """A column as Salesforce describes it.

    :param name: the field's API name, or its path from the queried object (``Owner.Name``).
    :param type: Salesforce's type, e.g. ``currency``; ``string`` if it is unknown.
    :param precision: total digits of a number; 0 if it is unknown.
    :param scale: digits after the decimal point of a number.
    :param numbers: how a number is kept: one of ``NUMBERS``, or ``widened``.
    :param calculated: whether Salesforce computes the values, as those of formulas and roll-up summaries.
    """

    name: str
    type: str = "string"
    precision: int = 0
    scale: int = 0
    numbers: str = "described"
    calculated: bool = False

    @classmethod
    def from_describe(cls, field: Mapping[str, Any], name: str | None = None) -> Column:
        """Read a field of an object's description.

        :param field: one of ``fields`` of a describe answer.
        :param name: the column's name, if it differs from the field's.
        """
        precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)
        calculated = bool(field.get("calculated"))
        if calculated:
            # The scale of a formula is how it is shown. The API returns what it computed, with more digits than that.
            precision, scale = _LARGEST_PRECISION, _FORMULA_SCALE
        return cls(name or str(field["name"]), str(field["type"]), precision, scale, calculated=calculated)

    @property
    def is_unstamped(self) -> bool:
        """Whether its values may change in a row whose ``SystemModstamp`` stays: a formula, or a parent's field.

        A roll-up summary is described like a formula. A change of its children does move the stamp, so that it is
        named here without need.
        """
        return self.calculated or "." in self.name

    @property
    def value_type(self) -> ValueType:
        """How the column's values are kept."""
        described = VALUE_TYPES.get(self.type, _TEXT)
        if self.is_widened or (described is _DECIMAL and self.numbers == "float64"):
            return _DOUBLE
        return _WIDE_DECIMAL if described is _DECIMAL and self.numbers == "decimal" else described

    @property
    def is_widened(self) -> bool:
        """Whether the column's numbers did not fit the type that was asked for, so that it holds doubles."""
        return self.numbers == _WIDENED

    @property
    def may_widen(self) -> bool:
        """Whether a number that does not fit widens the column, instead of ending the extract."""
        return self.value_type.json == "number" and self.numbers in ("decimal", "float64")

    def kept_as(self, numbers: str) -> Column:
        """The column with its numbers kept in another way.

        :param numbers: one of ``NUMBERS``.
        """
        return replace(self, numbers=numbers) if VALUE_TYPES.get(self.type, _TEXT).json == "number" else self

    def widened(self) -> Column:
        """The column as doubles."""
        return replace(self, numbers=_WIDENED)

    @property
    def digits(self) -> int:
        """Total digits of a number. A formula may be described without a precision; its scale still holds."""
        return self.precision or _LARGEST_PRECISION

    @property
    def arrow_type(self) -> str:
        """The Arrow type, as the receipt names it: exact for numbers, UTC for datetimes."""
        return self.value_type.arrow_name.format(precision=self.digits, scale=self.scale)

    def arrow_field(self) -> pa.Field:
        """The Arrow field: nullable, with Salesforce's description in its metadata.

        :return: its metadata has ``salesforce_type``, and of a number ``precision`` and ``scale``.
        """
        import pyarrow as pa

        metadata = {"salesforce_type": self.type}
        if self.value_type.json == "number":
            metadata |= {"precision": str(self.precision), "scale": str(self.scale)}
        return pa.field(self.name, self.value_type.arrow(pa, self), metadata=metadata)
