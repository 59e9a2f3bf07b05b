"""From an Airflow connection to an open database. A new back end is one class and one row here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tables.database import Database
from airflow_provider_sfjwt.tables.duckdb import DuckDB
from airflow_provider_sfjwt.tables.postgres import PostgreSQL
from airflow_provider_sfjwt.tables.sqlite import SQLite

#: By the type of the Airflow connection.
BACKENDS: dict[str, type[PostgreSQL] | type[DuckDB] | type[SQLite]] = {
    "postgres": PostgreSQL,
    "duckdb": DuckDB,
    "sqlite": SQLite,
}
_PAGE = "docs/loaders.md"
#: What to do about databases that have loaders of their own.
_LOADERS = {
    "snowflake": "CopyFromExternalStageToSnowflakeOperator(files=…)",
    "gcpbigquery": "GCSToBigQueryOperator(source_objects=…)",
    "google_cloud_platform": "GCSToBigQueryOperator(source_objects=…)",
    "redshift": "S3ToRedshiftOperator with a manifest",
}


@contextmanager
def opened(conn_id: str, lock_timeout: float) -> Iterator[Database]:
    """Open the database of an Airflow connection, and close it at the end.

    :param conn_id: of the type ``postgres``, ``duckdb`` or ``sqlite``.
    :param lock_timeout: seconds to wait where opening takes a lock.
    :raises ConfigurationError: when the connection is of another type, does not exist, or its provider is missing.
    :raises SalesforceError: retryable, when the database cannot be reached.
    """
    backend, hook = _found(conn_id)
    try:
        database: Database = backend.connect(hook, lock_timeout)
    except SalesforceError:
        raise
    except _connect_errors() as error:
        said = " ".join(str(error).split())
        message = f"connection '{conn_id}' (sql_conn_id) cannot be opened: {said}. Nothing in the table was changed."
        raise SalesforceError(message, retryable=True) from error
    try:
        yield database
    finally:
        database.close()


def _found(conn_id: str) -> tuple[type[PostgreSQL] | type[DuckDB] | type[SQLite], object]:
    try:
        conn_type = compat.sql_connection_type(conn_id)
    except compat.AirflowNotFoundException:
        raise _refused(f"there is no connection '{conn_id}'") from None
    if conn_type not in BACKENDS:
        loader = _LOADERS.get(conn_type)
        advice = f"Load the receipt's parts with {loader}" if loader else "Load the receipt's parts with its own loader"
        raise _refused(
            f"connection '{conn_id}' is of the type '{conn_type}'; a merge takes {', '.join(BACKENDS)}. {advice}: "
            f"hook.part_keys(result) lists them, see {_PAGE}"
        )
    try:
        return BACKENDS[conn_type], compat.sql_hook(conn_id)
    except (compat.AirflowException, ImportError) as error:
        raise _refused(
            f"connection '{conn_id}' needs the provider of '{conn_type}': pip install "
            f"apache-airflow-providers-{conn_type} ({error})"
        ) from None


def _refused(fault: str) -> ConfigurationError:
    return ConfigurationError({"sql_conn_id": fault}, subject="the task")


def _connect_errors() -> tuple[type[Exception], ...]:
    """What the drivers that are loaded raise when a database cannot be opened."""
    import sys

    drivers = (sys.modules.get(name) for name in ("psycopg", "psycopg2", "duckdb"))
    return (sqlite3.Error, OSError, *(driver.Error for driver in drivers if driver is not None))
