"""From an Airflow connection to a query that runs. A database that tells types of its own is one class and one row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tables.backends import BACKENDS, opened
from airflow_provider_sfjwt.tables.database import Database
from airflow_provider_sfjwt.tables.queries.spec import QueryColumn, QuerySpec, refused_query

if TYPE_CHECKING:
    import pyarrow as pa

#: Seconds to wait for a database's file.
_LOCK_TIMEOUT = 600


class Query(Protocol):
    """A query that runs.

    :param columns: what it returns.
    """

    columns: tuple[QueryColumn, ...]

    def tables(self) -> Iterator[pa.Table]:
        """All rows once, some at a time, in the columns' Arrow types.

        :raises ConfigurationError: naming a column whose value has no one meaning.
        """


def _postgres(database: Any, spec: QuerySpec) -> Query:
    from airflow_provider_sfjwt.tables.queries.postgres import PostgresQuery

    return PostgresQuery(database, spec)


def _duckdb(database: Any, spec: QuerySpec) -> Query:
    from airflow_provider_sfjwt.tables.queries.duckdb import DuckDBQuery

    return DuckDBQuery(database, spec)


#: By the type of the Airflow connection. Any other database is read by its driver's cursor.
_TYPED: dict[str, Callable[[Any, QuerySpec], Query]] = {"postgres": _postgres, "duckdb": _duckdb}


@contextmanager
def opened_query(spec: QuerySpec) -> Iterator[Query]:
    """Run a query over the connection that Airflow's hook makes, and close it at the end.

    :param spec: the query.
    :raises ConfigurationError: when the connection has no SQL, the database refuses the query, or a column cannot be
        kept as it is.
    :raises SalesforceError: retryable, when the database cannot be reached or gave up for now.
    """
    conn_type = _connection_type(spec.sql_conn_id)
    if conn_type in _TYPED:
        with opened(spec.sql_conn_id, _LOCK_TIMEOUT) as database, _named(spec, database.errors, _passing(database)):
            yield _TYPED[conn_type](database, spec)
    elif conn_type in BACKENDS:
        with (
            opened(spec.sql_conn_id, _LOCK_TIMEOUT) as database,
            _named(spec, database.errors, _passing(database)),
            _read_by_value(database.connection, spec) as query,
        ):
            yield query
    else:
        with (
            _other(spec, conn_type) as connection,
            _named(spec, errors := _errors_of(connection), _passing_of(errors)),
            _read_by_value(connection, spec) as query,
        ):
            yield query


def _connection_type(conn_id: str) -> str:
    try:
        return compat.sql_connection_type(conn_id)
    except compat.AirflowNotFoundException:
        fault = {"sql_conn_id": f"there is no connection '{conn_id}'"}
        raise ConfigurationError(fault, subject="the task") from None


@contextmanager
def _read_by_value(connection: Any, spec: QuerySpec) -> Iterator[Query]:
    from airflow_provider_sfjwt.tables.queries.by_value import QueryByValue

    with closing(connection.cursor()) as cursor, closing(QueryByValue(cursor, spec)) as query:
        yield query


@contextmanager
def _other(spec: QuerySpec, conn_type: str) -> Iterator[Any]:
    """A connection of the DB API.

    https://peps.python.org/pep-0249/
    """
    try:
        hook: Any = compat.sql_hook(spec.sql_conn_id)
        connect = getattr(hook, "get_conn", None)
        connection: Any = connect() if connect is not None else None
    except (compat.AirflowException, ImportError) as error:
        fault = f"connection '{spec.sql_conn_id}' of the type '{conn_type}' cannot be opened: {error}"
        raise ConfigurationError({"sql_conn_id": fault}, subject="the task") from None
    if not hasattr(connection, "cursor"):
        fault = f"connection '{spec.sql_conn_id}' is of the type '{conn_type}', which takes no SQL"
        raise ConfigurationError({"sql_conn_id": fault}, subject="the task")
    with closing(connection):
        yield connection


def _errors_of(connection: Any) -> tuple[type[Exception], ...]:
    """What a driver raises, the more special errors included: PEP 249 wants them in its module."""
    names = ("Error", "OperationalError", "InterfaceError")
    path = type(connection).__module__.split(".")
    modules = [sys.modules.get(".".join(path[:length])) for length in range(len(path), 0, -1)]
    for module in modules:
        found = [getattr(module, name, None) for name in names]
        if isinstance(found[0], type) and issubclass(found[0], Exception):
            return tuple(each for each in found if isinstance(each, type))
    return ()


def _passing(database: Database) -> Callable[[Exception], bool]:
    """Whether an error may be gone at the next attempt. A query that would write fails each time."""
    return lambda error: database.passes(error) and "read-only" not in str(error)


def _passing_of(errors: tuple[type[Exception], ...]) -> Callable[[Exception], bool]:
    """Whether an error may be gone at the next attempt: PEP 249 has classes for what is not the query's fault."""
    passing = tuple(error for error in errors if error.__name__ in ("OperationalError", "InterfaceError"))
    return lambda error: isinstance(error, passing)


@contextmanager
def _named(spec: QuerySpec, errors: tuple[type[Exception], ...], passes: Callable[[Exception], bool]) -> Iterator[None]:
    """Turn the driver's errors into errors about the query."""
    try:
        yield
    except errors as error:
        said = " ".join(str(error).split())
        if passes(error):
            message = f"the query on '{spec.sql_conn_id}' (sql_conn_id) broke off: {said}. Nothing was sent."
            raise SalesforceError(message, retryable=True) from error
        raise refused_query(f"'{spec.sql_conn_id}' refuses it: {said}") from error
