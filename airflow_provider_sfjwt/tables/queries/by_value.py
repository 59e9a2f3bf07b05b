"""A query in any other database of Airflow's, typed by the values that its driver gives.

Such drivers do not tell types that can be relied on, and a type shows only when all rows are known. So the rows wait on
the worker's disk: the query runs once.
"""

from __future__ import annotations

import math
import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

import pyarrow as pa

from airflow_provider_sfjwt.tables.queries.exact_values import schema_of
from airflow_provider_sfjwt.tables.queries.spec import (
    ADVICE,
    QueryColumn,
    QuerySpec,
    check_names,
    refused,
    refused_query,
)

#: Rows that are fetched at once.
_ROWS = 5_000
_LARGEST_INTEGER, _EXACT_IN_A_DOUBLE, _DIGITS = 2**63, 2**53, 38
#: What two kinds of numbers are together.
_BOTH = {
    frozenset(("int", "float")): "float",
    frozenset(("int", "Decimal")): "Decimal",
    frozenset(("bool", "int")): "int",
}
_ARROW_TYPES = {
    "bool": "bool",
    "float": "float64",
    "str": "string",
    "UUID": "string",
    "date": "date32",
    "time": "time64[us]",
    "datetime": "timestamp[us]",
    "datetime with a zone": "timestamp[us, tz=UTC]",
}


class _Values:
    """What is known of the values of a column.

    :param name: of the column.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: str | None = None
        self._largest = 0  # of the whole numbers
        self._whole = self._fraction = 0  # digits of decimals before and after the point

    def add(self, value: Any) -> None:
        """Take a value.

        :raises ConfigurationError: when it has no one meaning, or does not go with those before it.
        """
        if value is None:
            return
        kind = self._kind_of(value)
        if self.kind not in (None, kind):
            both = _BOTH.get(frozenset((str(self.kind), kind)))
            if both is None:
                raise refused({self.name: f"holds {self.kind} and {kind}, e.g. {_shown(value)}. {ADVICE}"})
            kind = both
        self.kind = kind

    def _kind_of(self, value: Any) -> str:
        kind = type(value)
        if kind is int:
            self._largest = max(self._largest, value + 1 if value < 0 else value, -value)
            return "int"
        if isinstance(value, float | Decimal):
            if not math.isfinite(value):
                raise refused({self.name: f"holds {value}, which is not a number. {ADVICE}"})
            if isinstance(value, Decimal):
                exponent = int(value.as_tuple().exponent)
                self._whole = max(self._whole, len(value.as_tuple().digits) + exponent)
                self._fraction = max(self._fraction, -exponent)
                return "Decimal"
            return "float"
        if isinstance(value, datetime):
            return "datetime" if value.tzinfo is None else "datetime with a zone"
        for known in (bool, int, str, UUID, date):
            if isinstance(value, known):
                return known.__name__
        if isinstance(value, time) and value.tzinfo is None:
            return "time"
        raise refused({self.name: f"holds {_shown(value)}, which has no one meaning as a field. {ADVICE}"})

    def column(self) -> QueryColumn:
        """The column, once all values are known.

        :raises ConfigurationError: when no type holds all of them exactly.
        """
        kind = self.kind or "str"
        if kind == "float" and self._largest > _EXACT_IN_A_DOUBLE:
            raise refused({self.name: f"holds floats and {self._largest:,}, which no float is. {ADVICE}"})
        if kind == "int":
            fits = self._largest < _LARGEST_INTEGER
            return QueryColumn(self.name, kind, "int64" if fits else f"decimal128({_DIGITS}, 0)")
        if kind == "Decimal":
            whole = max(self._whole, len(str(self._largest)))
            if whole + self._fraction > _DIGITS:
                raise refused({self.name: f"holds numbers of more than {_DIGITS} digits together. {ADVICE}"})
            return QueryColumn(self.name, kind, f"decimal128({_DIGITS}, {self._fraction})")
        return QueryColumn(self.name, kind, _ARROW_TYPES[kind])


def _shown(value: Any) -> str:
    shown = f"{type(value).__name__} {value!r}"
    return f"{shown[:57]}…" if len(shown) > 60 else shown


class QueryByValue:
    """A query whose rows have all been read, onto the worker's disk.

    :param cursor: of a DB-API connection.
    :param spec: the query.
    :raises ConfigurationError: when it returns no rows by its nature, or a column has values of several kinds.
    """

    def __init__(self, cursor: Any, spec: QuerySpec) -> None:
        if spec.parameters:
            cursor.execute(spec.statement, spec.parameters)
        else:
            cursor.execute(spec.statement)
        if not cursor.description:
            raise refused_query("it returns no columns; give a SELECT")
        names = [str(each[0]) for each in cursor.description]
        check_names(names)
        self._spool: IO[bytes] = tempfile.TemporaryFile(prefix="sfjwt-query-")  # noqa: SIM115  # close() closes it
        self.columns = self._read(cursor, [_Values(name) for name in names])

    def close(self) -> None:
        """Remove the rows from the disk."""
        self._spool.close()

    def _read(self, cursor: Any, values: Sequence[_Values]) -> tuple[QueryColumn, ...]:
        while rows := cursor.fetchmany(_ROWS):
            # Where a connection's extra asks for them, a driver gives rows as dicts, in the order of the columns.
            values_of_rows = (row.values() if isinstance(row, Mapping) else row for row in rows)
            columns = list(zip(*values_of_rows, strict=True))
            for each, found in zip(values, columns, strict=True):
                for value in found:
                    each.add(value)
            pickle.dump(columns, self._spool, pickle.HIGHEST_PROTOCOL)
        return tuple(each.column() for each in values)

    def tables(self) -> Iterator[pa.Table]:
        """All rows, some at a time."""
        schema, end = schema_of(self.columns), self._spool.tell()
        self._spool.seek(0)
        while self._spool.tell() < end:
            columns = pickle.load(self._spool)  # what this process wrote
            arrays = [_array(found, each) for found, each in zip(columns, schema, strict=True)]
            yield pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    if pa.types.is_string(field.type):
        values = [None if value is None else str(value) for value in values]
    elif pa.types.is_decimal(field.type):
        values = [None if value is None else Decimal(value) for value in values]
    elif pa.types.is_integer(field.type):
        values = [None if value is None else int(value) for value in values]
    return pa.array(values, field.type)
