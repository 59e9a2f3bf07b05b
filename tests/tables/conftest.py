from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.tables import MergeReport, merge
from tests.tables import databases, postgres_server

BACKENDS = ("psycopg", "psycopg2", "duckdb", "sqlite")
#: A server whose sessions are not as most are: no test may depend on what a database administrator has set.
ODD = ("default_transaction_isolation=serializable", "datestyle=German", "timezone=Asia/Tokyo", "extra_float_digits=0")


def needs(*modules: str) -> None:
    """Skip by name where a package is missing."""
    for module in modules:
        if importlib.util.find_spec(module.partition(".")[0]) is None or importlib.util.find_spec(module) is None:
            pytest.skip(f"missing: the Python package {module}")


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    """A server that all tests of a process share; each has a database of its own."""
    needs("psycopg", "psycopg2", "airflow.providers.postgres")
    if postgres_server.programs() is None:
        pytest.skip("missing: PostgreSQL (initdb on the PATH, or in /usr/lib/postgresql)")
    with postgres_server.running(*ODD) as port:
        yield port


@pytest.fixture
def postgres(postgres_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[databases.PostgreSQL]:
    """An empty database."""
    name = f"t{uuid.uuid4().hex}"
    server = databases.PostgreSQL("warehouse", postgres_port, "postgres")
    server.run(f"CREATE DATABASE {name}")
    database = databases.PostgreSQL("warehouse", postgres_port, name)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    yield database
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> databases.TestDatabase:
    """An empty database of each kind, PostgreSQL by both of its drivers."""
    if request.param.startswith("psycopg"):
        found: databases.TestDatabase = request.getfixturevalue("postgres")
        if request.param == "psycopg2":
            # The provider takes psycopg 3 where SQLAlchemy 2 is installed, else psycopg2.
            monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
        return found
    if request.param == "duckdb":
        needs("duckdb", "airflow.providers.duckdb")
        found = databases.DuckDB("warehouse", tmp_path / "warehouse.duckdb")
    else:
        found = databases.SQLite("warehouse", tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", found.connection_json())
    return found


@pytest.fixture
def into(database: databases.TestDatabase) -> Callable[..., MergeReport]:
    """Merge into the table ``items`` of the database."""

    def merge_into(source: Any, table: str = "items", **arguments: Any) -> MergeReport:
        return merge(source, sql_conn_id=database.conn_id, table=table, **arguments)

    return merge_into
