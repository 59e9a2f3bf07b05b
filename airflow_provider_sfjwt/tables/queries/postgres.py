"""A query in PostgreSQL: COPY in CSV over the connection of Airflow's hook, typed by what the server says of it.

The server streams the rows, so that memory does not grow with them, and the text of each value goes into Arrow without
an object of Python's in between.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.tables.postgres import PostgreSQL
from airflow_provider_sfjwt.tables.queries.exact_values import from_text, table_of
from airflow_provider_sfjwt.tables.queries.spec import ADVICE, QueryColumn, QuerySpec, check_names, refused

#: Bytes of CSV that are converted at once.
_PIECE = 2**19
#: Pieces that psycopg2 may be ahead.
_AHEAD = 2
#: One snapshot, in which the query changes nothing; and values in the form that is read here.
_SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL TIME ZONE 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL extra_float_digits = 3",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
#: The Arrow type by the name in ``pg_type``, where it is not text.
_TYPES = {
    "bool": "bool",
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "int64"),
    **dict.fromkeys(("float4", "float8"), "float64"),
    "date": "date32",
    "time": "time64[us]",
    "timestamp": "timestamp[us]",
    "timestamptz": "timestamp[us, tz=UTC]",
}
#: Types whose text is what they mean.
_TEXTS = frozenset(
    (
        "text", "varchar", "bpchar", "name", "char", "citext", "json", "jsonb", "uuid", "xml", "inet", "cidr",
        "macaddr", "macaddr8",
    )
)  # fmt: skip
_DIGITS, _SCALE = 38, 18
#: PostgreSQL keeps 63 bytes of a name, and cuts the rest off.
#: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
_NAME_CUT_AT = 63
_HINTS = {
    "bytea": "encode(…, 'base64') makes text of it",
    "money": "CAST it to numeric",
    "interval": "EXTRACT(EPOCH …)",
}


class PostgresQuery:
    """A query in one transaction.

    :param database: an open connection, on which nothing runs.
    :param spec: the query.
    :raises ConfigurationError: naming every column whose type has no one meaning.
    """

    def __init__(self, database: PostgreSQL, spec: QuerySpec) -> None:
        self._connection = database.connection
        self._connection.rollback()
        self._connection.autocommit = False
        if hasattr(self._connection, "set_client_encoding"):  # psycopg2 would not notice a SET
            self._connection.set_client_encoding("UTF8")
        else:
            database.run("SET client_encoding = 'UTF8'")
        for statement in _SESSION:
            database.run(statement)
        self._sql = self._bound(spec)
        self.columns = self._described(database)

    def _bound(self, spec: QuerySpec) -> str:
        """The SQL with its parameters: COPY takes none."""
        if not spec.parameters:
            return spec.statement
        if hasattr(self._connection, "set_client_encoding"):
            with self._connection.cursor() as cursor:
                return str(cursor.mogrify(spec.statement, spec.parameters).decode("utf-8"))
        from psycopg import ClientCursor

        with ClientCursor(self._connection) as cursor:
            return str(cursor.mogrify(spec.statement, spec.parameters))

    def _described(self, database: PostgreSQL) -> tuple[QueryColumn, ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM (\n{self._sql}\n) AS q LIMIT 0")
            described = list(cursor.description)
        check_names((each.name for each in described), _NAME_CUT_AT)
        types = {
            oid: (name, kind, shown)
            for oid, name, kind, shown in database.run(
                "SELECT oid::bigint, typname::text, typtype::text, format_type(oid, NULL) FROM pg_type WHERE oid IN "
                f"(0{''.join(f', {int(each.type_code)}' for each in described)})"
            )
        }
        columns, faults = [], {}
        for each in described:
            name, kind, shown = types[each.type_code]
            if name == "numeric":
                sql_type, arrow_type = _numeric(each.precision, each.scale)
                columns.append(QueryColumn(each.name, sql_type, arrow_type))
            elif name in _TYPES or name in _TEXTS or kind == "e":  # an enumeration
                columns.append(QueryColumn(each.name, shown, _TYPES.get(name, "string")))
            else:
                faults[each.name] = f"is {shown}, which has no one meaning as a field. {_HINTS.get(name, ADVICE)}"
        if faults:
            raise refused(faults)
        return tuple(columns)

    def tables(self) -> Iterator[pa.Table]:
        """All rows, some at a time."""
        rows = 0
        with self._connection.cursor() as cursor:
            sql = f"COPY (\n{self._sql}\n) TO STDOUT WITH (FORMAT csv)"
            copied = _pulled(cursor, sql) if hasattr(cursor, "copy") else _pushed(cursor, sql)
            for piece in _pieces(copied):
                table = self._typed(piece)
                rows += table.num_rows
                yield table
            if rows != cursor.rowcount:
                message = f"PostgreSQL sent {cursor.rowcount:,} rows, and {rows:,} were read. Nothing was sent."
                raise SalesforceError(message, retryable=True)

    def _typed(self, piece: bytes) -> pa.Table:
        names = [f"c{place}" for place in range(len(self.columns))]
        table = pv.read_csv(
            pa.BufferReader(piece),
            read_options=pv.ReadOptions(column_names=names, use_threads=False, block_size=len(piece) + 1),
            # A line without anything is a row whose one column is null.
            parse_options=pv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            # Text in quotes is never null; what is null has no quotes.
            convert_options=pv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        return table_of(self.columns, table.columns, from_text)


def _numeric(precision: int | None, scale: int | None) -> tuple[str, str]:
    """The type of a ``numeric``. Drivers give odd figures for one without precision, and for a negative scale."""
    if precision is None or scale is None or precision > 1000 or not 0 <= scale <= _DIGITS:
        return "numeric", f"decimal128({_DIGITS}, {_SCALE})"
    digits = min(max(precision, scale), _DIGITS)
    return f"numeric({precision},{scale})", f"decimal128({digits}, {scale})"


def _pieces(copied: Iterable[Any]) -> Iterator[bytes]:
    """Whole rows, about half a megabyte at a time. The server sends each row by itself.

    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
    """
    held, size = [], 0
    for row in copied:
        held.append(bytes(row))
        size += len(held[-1])
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _pulled(cursor: Any, sql: str) -> Iterator[Any]:
    """The rows as psycopg 3 gives them."""
    with cursor.copy(sql) as copy:
        yield from copy


class _AbandonedError(Exception):
    """Nobody reads any more."""


class _Pushed:
    """The file that psycopg2 writes rows to."""

    def __init__(self) -> None:
        self.pieces: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self.abandoned = threading.Event()
        self._held = bytearray()

    def write(self, row: bytes) -> None:
        """Take a row."""
        self._held += row
        if len(self._held) >= _PIECE:
            self.flush()

    def flush(self) -> None:
        """Give on what is held."""
        if self.abandoned.is_set():
            raise _AbandonedError
        if self._held:
            self.pieces.put(bytes(self._held))
            self._held.clear()


def _pushed(cursor: Any, sql: str) -> Iterator[bytes]:
    """The rows as psycopg2 gives them: it calls a file's ``write``, in a thread of its own."""
    file = _Pushed()

    def copy() -> None:
        cursor.copy_expert(sql, file)
        file.flush()

    with ThreadPoolExecutor(1, "sfjwt-copy") as thread:
        running: Future[None] = thread.submit(copy)
        try:
            while not running.done() or not file.pieces.empty():
                with suppress(queue.Empty):
                    yield file.pieces.get(timeout=0.05)
            running.result()
        finally:
            file.abandoned.set()
            while not running.done():
                with suppress(queue.Empty):
                    file.pieces.get(timeout=0.05)
