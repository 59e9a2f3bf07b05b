"""A query in DuckDB, which gives Arrow's batches itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from airflow_provider_sfjwt.tables.duckdb import DuckDB
from airflow_provider_sfjwt.tables.queries.exact_values import from_arrow, table_of
from airflow_provider_sfjwt.tables.queries.spec import (
    ADVICE,
    QueryColumn,
    QuerySpec,
    check_names,
    refused,
    refused_query,
)

#: Rows of a batch.
_ROWS = 20_000
#: The Arrow type by DuckDB's own name of a type, without what is in parentheses.
_TYPES: Mapping[str, str] = {
    "BOOLEAN": "bool",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "int64"),
    "UBIGINT": "decimal128(38, 0)",
    "HUGEINT": "decimal128(38, 0)",
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float64"),
    "DATE": "date32",
    "TIME": "time64[us]",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp[us]"),
    "TIMESTAMP WITH TIME ZONE": "timestamp[us, tz=UTC]",
    **dict.fromkeys(("VARCHAR", "UUID", "JSON", "ENUM", '"NULL"', "NULL"), "string"),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class DuckDBQuery:
    """A query of one snapshot.

    :param database: an open connection, on which nothing runs.
    :param spec: the query.
    :raises ConfigurationError: naming every column whose type has no one meaning.
    """

    def __init__(self, database: DuckDB, spec: QuerySpec) -> None:
        connection = database.connection
        connection.execute("SET TimeZone = 'UTC'")
        # Otherwise a table that does not exist may be a variable of Python's.
        connection.execute("SET python_enable_replacements = false")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        parameters = dict(spec.parameters) if isinstance(spec.parameters, Mapping) else list(spec.parameters or ())
        # Of what `execute` returns, DuckDB would make Arrow's batches by a copy of all rows in memory.
        relation = connection.sql(spec.statement, params=parameters or None)
        if relation is None:
            raise refused_query("it returns no columns; give a SELECT")
        self._relation = relation
        described = [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
        check_names(name for name, _ in described)
        types = {name: _arrow_type(kind) for name, kind in described}
        if faults := {
            name: f"is {kind}, which has no one meaning as a field. {ADVICE}"
            for name, kind in described
            if types[name] is None
        }:
            raise refused(faults)
        self.columns = tuple(QueryColumn(name, kind, str(types[name])) for name, kind in described)

    def tables(self) -> Iterator[pa.Table]:
        """All rows, some at a time."""
        reader = getattr(self._relation, "to_arrow_reader", None) or self._relation.fetch_record_batch  # before 1.5
        for batch in reader(_ROWS):
            table = pa.Table.from_batches([batch])
            yield table_of(self.columns, table.columns, from_arrow)


def _arrow_type(kind: str) -> str | None:
    if match := _DECIMAL.fullmatch(kind):
        return f"decimal128({match[1]}, {match[2]})"
    return None if kind.endswith("]") else _TYPES.get(kind.partition("(")[0])
