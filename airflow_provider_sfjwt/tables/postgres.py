"""PostgreSQL 11 and newer, by psycopg 3 or psycopg2: the driver's own COPY over the connection of Airflow's hook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables.columns import MergeColumn
from airflow_provider_sfjwt.tables.database import STAGE, Database, KeptError, Target, staged_rows

if TYPE_CHECKING:
    import pyarrow as pa

_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_VARCHAR = re.compile(r"character varying\((\d+)\)")
_RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_NUMBERS = r"numeric(\(.*\))?|double precision|bigint|integer|smallint"
#: The declared types that can hold a kind of values.
_ACCEPTED = {
    "text": r"text|character varying(\(\d+\))?|citext",
    "boolean": r"boolean",
    "integer": _NUMBERS,
    "decimal": _NUMBERS,
    "double": r"numeric(\(.*\))?|double precision",
    "date": r"date",
    "time": r"time(\([3-6]\))? without time zone",
    "timestamp": r"timestamp(\([3-6]\))? with(out)? time zone",
}
#: Classes of SQLSTATEs that may be gone at the next attempt: connection lost, serialization and deadlock, resources,
#: locks, operator intervention, system errors. https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = ("08", "40", "53", "55", "57", "58")
#: Of ``pg_class.relkind``. https://www.postgresql.org/docs/current/catalog-pg-class.html
_TABLE, _PARTITIONED = "r", "p"
_INSUFFICIENT_PRIVILEGE = "42501"


class PostgreSQL(Database):
    """A connection of psycopg 3 or psycopg2."""

    label = "PostgreSQL"
    types = {  # noqa: RUF012  # a ClassVar of the base class
        "text": "text",
        "boolean": "boolean",
        "integer": "bigint",
        # Without precision and scale, numeric keeps the digits that a number has.
        "decimal": "numeric",
        "double": "double precision",
        "date": "date",
        "time": "time(3)",
        "timestamp": "timestamptz(3)",
    }
    temporary_schema = "pg_temp"
    folds_case = False
    longest_name = 63
    stores_nul = False
    now = "clock_timestamp()"

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        driver = import_module(type(connection).__module__.partition(".")[0])
        self.errors = (driver.Error,)

    @classmethod
    def connect(cls, hook: Any, lock_timeout: float) -> PostgreSQL:
        """Open the connection that Airflow's hook makes, with all of its options.

        :param hook: of a connection of the type ``postgres``.
        :param lock_timeout: not needed to connect.
        """
        connection = hook.get_conn()
        # The connection's extra may ask for rows as dicts ("cursor": "dictcursor"); here they are read by their places.
        if hasattr(connection, "row_factory"):
            from psycopg.rows import tuple_row

            connection.row_factory = tuple_row
        else:
            connection.cursor_factory = None
        return cls(connection)

    def begin(self, lock_timeout: float) -> None:
        self._connection.rollback()
        self._connection.autocommit = False
        # The ledger is read after the lock, with a snapshot of that moment.
        self.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.run("SET LOCAL TIME ZONE 'UTC'")
        self.run("SET LOCAL datestyle = 'ISO, YMD'")
        self.run("SET LOCAL client_encoding = 'UTF8'")
        self.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        self.run(f"SET LOCAL lock_timeout = '{max(round(lock_timeout * 1000), 1)}ms'")

    def lock(self, target: Target) -> None:
        self.run("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (f"sfjwt:{target.name}",))

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            if parameters:
                cursor.execute(sql.replace("%", "%%").replace("?", "%s"), tuple(parameters))
            else:
                cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def write(self, sql: str) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.rowcount)

    def upsert(self, target: Target, sql: str, before: str) -> tuple[int, int]:
        if self._kind_of(target) == _PARTITIONED:  # its rows have no system columns here
            return super().upsert(target, sql, before)
        # A row version that nobody has deleted or updated has xmax 0: the row is new.
        # https://www.postgresql.org/docs/current/ddl-system-columns.html
        count = "SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM written"
        (row,) = self.run(f"WITH written AS ({sql} RETURNING (t.xmax = 0) AS inserted) {count}")
        return row[0], row[1]

    def resolve(self, parts: tuple[str, ...]) -> Target:
        if len(parts) > 2:
            fault = f"'{'.'.join(parts)}' has more than a schema and a name"
            raise ConfigurationError({"table": fault}, subject="the task")
        if long := [part for part in parts if len(part.encode()) > self.longest_name]:
            fault = f"'{long[0]}' has more than the {self.longest_name} bytes that PostgreSQL keeps of a name"
            raise ConfigurationError({"table": fault}, subject="the task")
        found = self.run(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(?)",
            (".".join(map(self.quote, parts)),),
        )
        schema = found[0][0] if found else parts[0] if len(parts) == 2 else self.run("SELECT current_schema()")[0][0]
        if schema is None:
            fault = "no schema of the connection's search_path exists; give the table with its schema"
            raise ConfigurationError({"table": fault}, subject="the task")
        return Target((schema, parts[-1]), f"{self.quote(schema)}.{self.quote(parts[-1])}")

    def columns_of(self, target: Target) -> dict[str, str] | None:
        kind = self._kind_of(target)
        if kind is None:
            return None
        if kind not in (_TABLE, _PARTITIONED):
            shown = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}.get(kind, "not a table")
            raise ConfigurationError({"table": f"{target.name} is {shown}; name a table"}, subject="the task")
        rows = self.run(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(?) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (target.sql,),
        )
        return dict(rows)

    def _kind_of(self, target: Target) -> str | None:
        """``relkind`` of a table, or None where there is none."""
        found = self.run("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(?)", (target.sql,))
        return str(found[0][0]) if found else None

    def has_unique_key(self, target: Target, columns: Sequence[str]) -> bool:
        rows = self.run(
            "SELECT array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid "
            "AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1])) FROM pg_index i WHERE i.indrelid = to_regclass(?) "
            "AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL",
            (target.sql,),
        )
        return any(set(names) == set(columns) for (names,) in rows)

    def accepts(self, kind: str, declared: str) -> bool:
        return re.fullmatch(_ACCEPTED[kind], declared) is not None

    def misfit(self, value: str, declared: str) -> str | None:
        if match := _NUMERIC.fullmatch(declared):
            precision, scale = int(match[1]), int(match[2])
            return f"{value} <> round({value}, {scale}) OR abs({value}) >= 1e{precision - scale}"
        if match := _VARCHAR.fullmatch(declared):
            return f"char_length({value}) > {match[1]}"
        if declared in _RANGES:
            limit = _RANGES[declared]
            return f"{value} <> trunc({value}) OR {value} NOT BETWEEN {-limit} AND {limit - 1}"
        return None

    def widened(self, declared: str) -> str | None:
        # Neither rewrites the table. https://www.postgresql.org/docs/current/sql-altertable.html
        if _NUMERIC.fullmatch(declared):
            return "numeric"
        return "text" if _VARCHAR.fullmatch(declared) else None

    def staged_type(self, column: MergeColumn, declared: str | None) -> str:
        if declared is not None and column.kind in ("double", "decimal"):
            # COPY reads the digits as the table's own type would, with no other type in between.
            return "double precision" if declared == "double precision" else "numeric"
        return super().staged_type(column, declared)

    def prepare_stage(self, definitions: str) -> None:
        self.run(f"CREATE TEMPORARY TABLE {self.quote(STAGE)} ({definitions}) ON COMMIT DROP")

    def stage(self, columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> None:
        names = ", ".join(column.staged for column in columns)
        sql = f"COPY {self.stage_sql} ({names}) FROM STDIN WITH (FORMAT csv)"
        chunks = KeptError(_one_ahead(_csv(staged_rows(columns, tables))))
        with chunks.passed_on(), self._connection.cursor() as cursor:
            if hasattr(cursor, "copy"):
                with cursor.copy(sql) as copy:
                    for chunk in chunks:
                        copy.write(chunk)
            else:
                cursor.copy_expert(sql, _Readable(iter(chunks)), 2**16)
        self.run(f"ANALYZE {self.stage_sql}")

    def passes(self, error: Exception) -> bool:
        state = _sqlstate(error)
        return state is None or state.startswith(_PASSING)

    def lacks_rights(self, error: Exception) -> bool:
        return _sqlstate(error) == _INSUFFICIENT_PRIVILEGE


def _sqlstate(error: Exception) -> str | None:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def _csv(tables: Iterable[pa.Table]) -> Iterator[memoryview]:
    """Rows as CSV: text is quoted, so that empty text and null differ. Moments are in UTC, as the session is."""
    import pyarrow as pa
    import pyarrow.csv as pv

    from airflow_provider_sfjwt.tables.values import number_text, without_zone

    options = pv.WriteOptions(include_header=False)
    for table in tables:
        for place, field in enumerate(table.schema):
            if pa.types.is_decimal(field.type):
                table = table.set_column(place, field.name, number_text(table.column(place)))
            elif pa.types.is_timestamp(field.type):
                table = table.set_column(place, field.name, without_zone(table.column(place)))
        sink = pa.BufferOutputStream()
        pv.write_csv(table, sink, options)
        yield memoryview(sink.getvalue())


def _one_ahead(chunks: Iterator[memoryview]) -> Iterator[memoryview]:
    """Make the next chunk while the server reads this one. Both release Python's lock for most of their time."""

    def following() -> memoryview | None:
        return next(chunks, None)

    with ThreadPoolExecutor(1, "sfjwt-rows") as maker:
        chunk = maker.submit(following).result()
        while chunk is not None:
            upcoming = maker.submit(following)
            yield chunk
            chunk = upcoming.result()


class _Readable:
    """Chunks as the file that psycopg2 reads from."""

    def __init__(self, chunks: Iterator[memoryview]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes; none at the end.

        :param size: how many.
        """
        if not self._left:
            self._left = next(self._chunks, memoryview(b""))
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)
