"""The databases of the tests, each looked into by its own client and not by the code under test."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from airflow_provider_sfjwt.tables import MergeReport, merge
from airflow_provider_sfjwt.tables.delta import DeltaSpec, merge_into_delta
from tests.tables import postgres_server

#: How the tests' own clients read, on a server that is set oddly.
_PLAIN = "-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1"


class Tables(ABC):
    """Where tables are that extracts are merged into."""

    @abstractmethod
    def merge(self, source: Any, table: str, **arguments: Any) -> MergeReport:
        """Merge an extract.

        :param source: the extract.
        :param table: its name.
        :param arguments: more of the merge.
        """

    @abstractmethod
    def rows(self, table: str, columns: Sequence[str], order: str = "Id") -> list[tuple[Any, ...]]:
        """Rows of a table as Python's values.

        :param table: quoted where it has to be.
        :param columns: their names.
        :param order: the column to order by.
        """

    def column(self, table: str, name: str) -> list[Any]:
        """The values of a column in the order of ``Id``, by the client that people use.

        :param table: quoted where it has to be.
        :param name: of the column.
        """
        return [value for (value,) in self.rows(table, [name])]

    def value(self, wanted: Any) -> Any:
        """A value as the client gives it back."""
        return wanted


class DeltaTables(Tables):
    """Delta tables on local files, read by Delta's own reader.

    :param folder: of the tables.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def merge(self, source: Any, table: str, **arguments: Any) -> MergeReport:
        path = str(self.folder / table)
        return merge_into_delta(DeltaSpec(source=source, table_uri=f"file://{path}", **arguments), path, {})

    def rows(self, table: str, columns: Sequence[str], order: str = "Id") -> list[tuple[Any, ...]]:
        import pyarrow as pa
        from deltalake import DeltaTable

        found = pa.table(DeltaTable(str(self.folder / table)).to_pyarrow_table()).sort_by(order)
        return list(zip(*(found.column(name).to_pylist() for name in columns), strict=True))


class TestDatabase(Tables):
    """A database, and the Airflow connection to it.

    :param conn_id: of the connection.
    """

    __test__ = False
    label: ClassVar[str]
    #: What reads the values back.
    client: ClassVar[str]

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    @abstractmethod
    def connection_json(self) -> str:
        """The Airflow connection."""

    @abstractmethod
    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements by the database's own client.

        :return: the rows of the last one.
        """

    def merge(self, source: Any, table: str, **arguments: Any) -> MergeReport:
        return merge(source, sql_conn_id=self.conn_id, table=table, **arguments)

    def rows(self, table: str, columns: Sequence[str], order: str = "Id") -> list[tuple[Any, ...]]:
        names = ", ".join(f'"{name}"' for name in columns)
        return self.run(f'SELECT {names} FROM {table} ORDER BY "{order}"')

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.run(f"SELECT count(*) FROM {table}")[0][0])


class PostgreSQL(TestDatabase):
    """A server of the tests' own."""

    label = "postgres"
    client = "psql"

    def __init__(self, conn_id: str, port: int, database: str, user: str = "tester", **extra: str) -> None:
        super().__init__(conn_id)
        self.port, self.database, self.user, self.extra = port, database, user, extra

    def connection_json(self) -> str:
        return json.dumps(
            {"conn_type": "postgres", "host": "127.0.0.1", "port": self.port, "login": self.user,
             "schema": self.database, "extra": self.extra}
        )  # fmt: skip

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user=tester dbname={self.database} options='{_PLAIN}'"
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def column(self, table: str, name: str) -> list[Any]:
        """By psql, in JSON, which keeps apart what its output does not."""
        kind, texts = self._psql(
            f'SELECT json_build_array(min(pg_typeof("{name}")::text), json_agg("{name}"::text ORDER BY "Id")) '
            f"FROM {table}"
        )
        return [None if text is None else _FROM_PSQL.get(kind, str)(text) for text in texts]

    def _psql(self, sql: str) -> Any:
        folder = postgres_server.programs()
        assert folder is not None
        address = f"host=127.0.0.1 port={self.port} user=tester dbname={self.database} options='{_PLAIN}'"
        done = subprocess.run(
            [folder / "psql", "-XAtq", "-d", address, "-f", "-"], input=sql, capture_output=True, text=True, check=True,
            env={**os.environ, "PGCLIENTENCODING": "UTF8"}, encoding="utf-8",
        )  # fmt: skip
        return json.loads(done.stdout)


#: What psql prints, as Python's values, by PostgreSQL's types.
_FROM_PSQL: dict[str, Callable[[str], Any]] = {
    "boolean": {"true": True, "false": False}.__getitem__,
    "bigint": int,
    "numeric": Decimal,
    "double precision": float,
    "date": date.fromisoformat,
    "time without time zone": time.fromisoformat,
    "timestamp with time zone": lambda text: _moment(text),
}


def _moment(text: str) -> datetime:
    """A timestamp of psql: 2026-03-29 01:30:00.999+00."""
    wall, _, zone = text.rpartition("+")
    assert zone == "00", text
    form = "%Y-%m-%d %H:%M:%S.%f" if "." in wall else "%Y-%m-%d %H:%M:%S"
    return datetime.strptime(wall, form).replace(tzinfo=timezone.utc)


class DuckDB(TestDatabase):
    """A file."""

    label = "duckdb"
    client = "duckdb"

    def __init__(self, conn_id: str, path: Path) -> None:
        super().__init__(conn_id)
        self.path = path

    def connection_json(self) -> str:
        return json.dumps({"conn_type": "duckdb", "host": str(self.path)})

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        import duckdb

        with closing(duckdb.connect(str(self.path))) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                result = connection.execute(statement)
            return result.fetchall()


class SQLite(TestDatabase):
    """A file."""

    label = "sqlite"
    client = "sqlite3"

    def __init__(self, conn_id: str, path: Path) -> None:
        super().__init__(conn_id)
        self.path = path

    def connection_json(self) -> str:
        return json.dumps({"conn_type": "sqlite", "host": str(self.path)})

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall()

    def value(self, wanted: Any) -> Any:
        if isinstance(wanted, bool):
            return int(wanted)
        if isinstance(wanted, Decimal):
            digits = format(wanted, "f")
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        if isinstance(wanted, datetime):
            return wanted.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wanted.microsecond // 1000:03d}Z"
        if isinstance(wanted, time):
            return wanted.isoformat("milliseconds")
        return wanted.isoformat() if isinstance(wanted, date) else wanted
