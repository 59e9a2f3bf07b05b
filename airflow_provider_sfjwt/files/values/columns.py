"""The columns of a data set, and how a Salesforce type is kept in Arrow.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL_TYPES = frozenset({"double", "currency", "percent"})
_LARGEST_PRECISION = 38  # of decimal128
_FORMULA_SCALE = 18


@dataclass(frozen=True)
class Column:
    """A column as Salesforce describes it.

    :param name: the field's API name, or its path from the queried object (``Owner.Name``).
    :param type: Salesforce's type, e.g. ``currency``; ``string`` where it is not known.
    :param precision: digits in all, for numbers.
    :param scale: digits behind the point, for numbers.
    """

    name: str
    type: str = "string"
    precision: int = 0
    scale: int = 0

    @classmethod
    def from_describe(cls, field: Mapping[str, Any], name: str | None = None) -> Column:
        """Read a field of an object's description.

        :param field: one of ``fields`` of a describe answer.
        :param name: the column's name, where it differs from the field's.
        """
        precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)
        if field.get("calculated"):
            # The scale of a formula is how it is shown. The API returns what it computed, with more digits than that.
            precision, scale = _LARGEST_PRECISION, _FORMULA_SCALE
        return cls(name or str(field["name"]), str(field["type"]), precision, scale)

    @property
    def arrow_type(self) -> str:
        """The Arrow type, as the receipt names it: exact for numbers, UTC for moments."""
        if self.type in _DECIMAL_TYPES:
            # A formula may be described without a precision; the scale still holds.
            return f"decimal128({self.precision or _LARGEST_PRECISION}, {self.scale})"
        return {
            "boolean": "bool",
            "int": "int64",
            "long": "int64",
            "date": "date32",
            "datetime": "timestamp[ms, tz=UTC]",
            "time": "time32[ms]",
        }.get(self.type, "string")

    def arrow_field(self) -> pa.Field:
        """The Arrow field: nullable, with the Salesforce type in its metadata under ``salesforce_type``."""
        import pyarrow as pa

        types = {
            "bool": pa.bool_(),
            "int64": pa.int64(),
            "date32": pa.date32(),
            "timestamp[ms, tz=UTC]": pa.timestamp("ms", tz="UTC"),
            "time32[ms]": pa.time32("ms"),
            "string": pa.string(),
        }
        arrow_type = types.get(self.arrow_type) or pa.decimal128(self.precision or _LARGEST_PRECISION, self.scale)
        return pa.field(self.name, arrow_type, metadata={"salesforce_type": self.type})

    @property
    def is_number(self) -> bool:
        """Whether JSON writes the value as a number."""
        return self.type in _DECIMAL_TYPES or self.type in ("int", "long")
