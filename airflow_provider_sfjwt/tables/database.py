"""What a merge needs of a database. Each back end is one class; what all understand stands in ``statements``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.tables.columns import MergeColumn

#: The staging table, which only the connection that makes it sees.
STAGE = "sfjwt_stage"


@dataclass(frozen=True)
class Target:
    """A table where the database found it, or would create it.

    :param parts: its names, e.g. ``("public", "accounts")``.
    :param sql: the same, quoted.
    """

    parts: tuple[str, ...]
    sql: str

    @property
    def name(self) -> str:
        """As messages and the ledger name it."""
        return ".".join(self.parts)


class Database(ABC):
    """An open connection in which one merge runs, as one transaction.

    :param connection: as the hook of the Airflow connection made it.
    """

    #: As its makers spell it.
    label: ClassVar[str]
    #: The type of a column by what it holds, for tables that are created.
    types: ClassVar[Mapping[str, str]]
    #: The schema of temporary tables.
    temporary_schema: ClassVar[str] = "temp"
    #: Whether names that differ in case alone are the same.
    folds_case: ClassVar[bool] = True
    #: Bytes that a name may have; None for no limit.
    longest_name: ClassVar[int | None] = None
    #: Whether text may hold U+0000.
    stores_nul: ClassVar[bool] = True
    #: The moment now, as SQL.
    now: ClassVar[str] = "now()"
    #: The type of the ledger's moments.
    moment: ClassVar[str] = "timestamptz"
    #: Compares two values or rows, null included.
    differs: ClassVar[str] = "IS DISTINCT FROM"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def connection(self) -> Any:
        """The driver's own connection."""
        return self._connection

    # -- one transaction -----------------------------------------------------------------------------------------------

    @abstractmethod
    def begin(self, lock_timeout: float) -> None:
        """Begin the transaction.

        :param lock_timeout: seconds to wait for a lock.
        """

    @abstractmethod
    def lock(self, target: Target) -> None:
        """Wait until no other merge into a table runs; the lock ends with the transaction.

        :param target: the table.
        """

    def commit(self) -> None:
        """Make everything visible, at once."""
        self._connection.commit()

    def close(self) -> None:
        """Close the connection. What was not committed is undone."""
        self._connection.close()

    # -- statements ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement.

        :param sql: with ``?`` for each parameter.
        :param parameters: their values.
        :return: all rows; empty for a statement that returns none.
        """

    @abstractmethod
    def write(self, sql: str) -> int:
        """Run an ``INSERT``, an ``UPDATE`` or a ``DELETE``.

        :param sql: the statement.
        :return: how many rows were inserted, updated or deleted.
        """

    def upsert(self, target: Target, sql: str, before: str) -> tuple[int, int]:
        """Run an ``INSERT … ON CONFLICT DO UPDATE``.

        :param target: the table that it writes to.
        :param sql: the statement.
        :param before: a query that counts the rows to be written, and how many of their keys are in the table.
        :return: rows inserted, and rows updated.
        """
        ((rows, there),) = self.run(before)
        return rows - there, self.write(sql) - (rows - there)

    def quote(self, name: str) -> str:
        """A name as SQL.

        :param name: of a table or column.
        """
        return '"' + name.replace('"', '""') + '"'

    @property
    def stage_sql(self) -> str:
        """The staging table as SQL."""
        return f"{self.temporary_schema}.{self.quote(STAGE)}"

    # -- tables --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def resolve(self, parts: tuple[str, ...]) -> Target:
        """Find a table, or where it would be created.

        :param parts: its name as the task gives it.
        """

    @abstractmethod
    def columns_of(self, target: Target) -> dict[str, str] | None:
        """The columns of a table.

        :param target: the table.
        :return: their declared types by their names, in lower case; None where there is no table.
        :raises ConfigurationError: when it is a view or anything else that rows cannot be merged into.
        """

    @abstractmethod
    def has_unique_key(self, target: Target, columns: Sequence[str]) -> bool:
        """Whether a primary key or a unique index covers exactly these columns.

        :param target: the table.
        :param columns: by their names in the table.
        """

    @abstractmethod
    def accepts(self, kind: str, declared: str) -> bool:
        """Whether a column of a declared type can hold a kind of values at all.

        :param kind: as :attr:`MergeColumn.kind` names it.
        :param declared: the column's type.
        """

    def misfit(self, value: str, declared: str) -> str | None:
        """A condition that is true for a value that would change in a column of a declared type.

        :param value: SQL for the value.
        :param declared: the column's type.
        :return: None where every value stays as it is.
        """
        return None

    def widened(self, declared: str) -> str | None:
        """The type that a column can be given without rewriting its table.

        :param declared: the column's type.
        :return: None where there is none.
        """
        return None

    def staged_type(self, column: MergeColumn, declared: str | None) -> str:
        """The type of a column in the staging table.

        :param column: the column.
        :param declared: its type in the table, or None where it goes no further or is new.
        """
        return self.type_of(column)

    def type_of(self, column: MergeColumn) -> str:
        """The type of a column in a table that is created.

        :param column: the column.
        """
        return self.types[column.kind]

    def prepare_stage(self, definitions: str) -> None:
        """Create the staging table.

        :param definitions: of its columns.
        """
        self.run(f"CREATE TEMPORARY TABLE {self.quote(STAGE)} ({definitions})")

    @abstractmethod
    def stage(self, columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> None:
        """Write rows into the staging table.

        :param columns: of the staging table, in the order of the rows' columns.
        :param tables: the rows, some at a time. What it raises passes unchanged.
        """

    # -- errors --------------------------------------------------------------------------------------------------------

    #: What the driver raises.
    errors: tuple[type[Exception], ...] = ()

    @abstractmethod
    def passes(self, error: Exception) -> bool:
        """Whether an error of the driver may be gone at the next attempt.

        :param error: what the driver raised.
        """

    def lacks_rights(self, error: Exception) -> bool:
        """Whether the database refused what the connection's user may not do.

        :param error: what the driver raised.
        """
        return False

    @contextmanager
    def named(self, what: str) -> Iterator[None]:
        """Turn errors of the driver into errors that name what was done, and to which table.

        :param what: that was done, e.g. ``merging into public.accounts``.
        :raises ConfigurationError: when a right is missing.
        :raises SalesforceError: for any other error of the driver; retryable where it may pass.
        """
        try:
            yield
        except self.errors as error:
            said = " ".join(str(error).split())
            if self.lacks_rights(error):
                fault = f"{what} is not allowed to the connection's user: {said}"
                raise ConfigurationError({"sql_conn_id": fault}, subject="the task") from error
            message = f"{what} failed in {self.label}: {said}. Nothing in the table was changed."
            raise SalesforceError(message, retryable=self.passes(error)) from error


def staged_rows(columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Name the columns of rows as the staging table does.

    :param columns: in the order of the rows' columns.
    :param tables: the rows.
    """
    names = [column.staged for column in columns]
    for table in tables:
        yield table.rename_columns(names)


class KeptError:
    """Holds what an iterator raises while a driver consumes it, since some drivers replace the error by their own.

    :param items: the iterator.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._items
        except Exception as error:  # raised again by `passed_on`
            self.error = error
            raise

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Raise what the iterator raised in place of what the driver makes of it."""
        try:
            yield
        finally:
            if self.error is not None:
                raise self.error from None
