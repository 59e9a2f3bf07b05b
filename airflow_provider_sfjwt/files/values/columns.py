"""The columns of a data set, and how the values of each Salesforce type are kept.

==========================  ============================  =========================  ==========================
Salesforce type             text                          Arrow type                 Python type
==========================  ============================  =========================  ==========================
boolean                     ``true``                      ``bool``                   ``bool``
int, long                   ``-7``                        ``int64``                  ``int``
double, currency, percent   ``12.50``                     ``decimal128(p, s)``       ``Decimal``
date                        ``2026-11-20``                ``date32``                 ``date``
datetime                    ``2026-11-20T08:00:00.123Z``  ``timestamp[ms, tz=UTC]``  ``datetime`` with a zone
time                        ``10:00:00.000Z``             ``time32[ms]``             ``time``
any other                   as it is                      ``string``                 ``str``
==========================  ============================  =========================  ==========================

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST_PRECISION = 38  # of decimal128
_FORMULA_SCALE = 18


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
_DATE = ValueType("date32", lambda pa, _: pa.date32())
_DATETIME = ValueType("timestamp[ms, tz=UTC]", lambda pa, _: pa.timestamp("ms", tz="UTC"))
_TIME = ValueType("time32[ms]", lambda pa, _: pa.time32("ms"))
_TEXT = ValueType("string", lambda pa, _: pa.string())
_CHOICE = ValueType("string", lambda pa, _: pa.string(), repeats=True)

#: One row for each Salesforce type that is kept as more than plain text.
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
    """

    name: str
    type: str = "string"
    precision: int = 0
    scale: int = 0

    @classmethod
    def from_describe(cls, field: Mapping[str, Any], name: str | None = None) -> Column:
        """Read a field of an object's description.

        :param field: one of ``fields`` of a describe answer.
        :param name: the column's name, if it differs from the field's.
        """
        precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)
        if field.get("calculated"):
            # The scale of a formula is how it is shown. The API returns what it computed, with more digits than that.
            precision, scale = _LARGEST_PRECISION, _FORMULA_SCALE
        return cls(name or str(field["name"]), str(field["type"]), precision, scale)

    @property
    def value_type(self) -> ValueType:
        """How the column's values are kept."""
        return VALUE_TYPES.get(self.type, _TEXT)

    @property
    def digits(self) -> int:
        """Total digits of a number. A formula may be described without a precision; its scale still holds."""
        return self.precision or _LARGEST_PRECISION

    @property
    def arrow_type(self) -> str:
        """The Arrow type, as the receipt names it: exact for numbers, UTC for datetimes."""
        return self.value_type.arrow_name.format(precision=self.digits, scale=self.scale)

    def arrow_field(self) -> pa.Field:
        """The Arrow field: nullable, with the Salesforce type in its metadata under ``salesforce_type``."""
        import pyarrow as pa

        return pa.field(self.name, self.value_type.arrow(pa, self), metadata={"salesforce_type": self.type})
