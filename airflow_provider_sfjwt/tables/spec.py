"""What a merge into a table is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import argument, optional
from airflow_provider_sfjwt.files.data_sets.published import fault_of_source

MODES = ("merge", "append", "replace")
DELETED = ("delete", "mark", "ignore")


def _mapping(value: Any) -> str | None:
    """Columns of the table by the columns of the extract."""
    if not isinstance(value, Mapping):
        return f"must map the extract's columns to the table's, as in {{'Name': 'title'}}, not {value!r}"
    for column, name in value.items():
        if fault := arguments.text(column):
            return f"has a column whose name {fault}"
        if name is not None and (fault := arguments.text(name)):
            return f"gives {column} a name that {fault}; None leaves the column out"
    return None


def _key(value: Any) -> str | None:
    """One column, or several."""
    return arguments.name(value) if isinstance(value, str) else arguments.names(value)


def table_parts(text: str) -> tuple[str, ...]:
    """Split a table's name at its dots; quotes keep a dot inside a name.

    :param text: e.g. ``accounts``, ``sales.accounts`` or ``sales."accounts.v2"``.
    :return: the names, without quotes.
    :raises ValueError: when a name is empty or a quote is not closed.
    """
    parts: list[str] = []
    current, quoted, place = "", False, 0
    while place < len(text):
        character = text[place]
        if character == '"' and quoted and text[place + 1 : place + 2] == '"':
            current, place = current + '"', place + 1
        elif character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts, current = [*parts, current], ""
        else:
            current += character
        place += 1
    parts.append(current)
    if quoted or not all(part.strip() for part in parts):
        raise ValueError(f"'{text}' is not the name of a table; give e.g. accounts or sales.accounts")
    return tuple(parts)


def _table(value: Any) -> str | None:
    if fault := arguments.name(value):
        return fault
    try:
        table_parts(value)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True, kw_only=True)
class RowsSpec(arguments.Spec):
    """Which rows of which extracts go into a table, and how.

    :param source: the folder or receipt of an extract, what its task returned, or several of these.
    :param mode: what happens to the table's rows.
    :param key: the column, or columns, of the extract that tell rows apart.
    :param deleted: what a row with ``IsDeleted`` true does: ``delete`` the table's row, ``mark`` keeps it with
        ``IsDeleted`` true, ``ignore`` leaves the table's row as it is.
    :param schema_evolution: ``add`` adds columns that the table lacks and widens where that is free; ``fail`` refuses.
    :param naming: ``keep`` Salesforce's names, or ``snake`` case.
    :param column_mapping: the table's column by the extract's column; None leaves a column out.
    :param columns: only these columns of the extract; None for all.
    :param allow_older: whether a window older than one that was merged may be merged as well.
    """

    source: Any = argument(fault_of_source)
    mode: str = argument(arguments.text, default="merge")
    key: str | Sequence[str] = argument(_key, default="Id")
    deleted: str = argument(arguments.one_of(*DELETED), default="delete")
    schema_evolution: str = argument(arguments.one_of("add", "fail"), default="add")
    naming: str = argument(arguments.one_of("keep", "snake"), default="keep")
    column_mapping: Mapping[str, str | None] | None = argument(optional(_mapping), default=None)
    columns: Sequence[str] | None = argument(optional(arguments.names), default=None)
    allow_older: bool = argument(arguments.flag, default=False)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the extract that tell rows apart."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)


@dataclass(frozen=True, kw_only=True)
class MergeSpec(RowsSpec):
    """What :func:`~airflow_provider_sfjwt.tables.merge` and ``SalesforceToSqlOperator`` are asked to do.

    :param sql_conn_id: an Airflow connection of the type ``postgres``, ``duckdb`` or ``sqlite``.
    :param table: its name, with its schema where it has one; taken as it is written, upper and lower case included.
    :param mode: ``merge`` by key, ``append`` every row, or ``replace`` all rows.
    :param ledger_table: where every merge is recorded; in the schema of ``table`` unless it names one.
    :param lock_timeout: seconds to wait for another merge into the same table.
    :param nul_characters: what the character U+0000 in text does where the database cannot store it: ``fail`` or
        ``remove``.
    :param allow_empty: whether ``replace`` may leave the table empty.
    """

    sql_conn_id: str = argument(arguments.name)
    table: str = argument(_table)
    mode: str = argument(arguments.one_of(*MODES), default="merge")
    ledger_table: str = argument(_table, default="sfjwt_ledger")
    lock_timeout: float = argument(arguments.seconds, default=600)
    nul_characters: str = argument(arguments.one_of("fail", "remove"), default="fail")
    allow_empty: bool = argument(arguments.flag, default=False)
