"""Which SQL query is asked for, and what its columns are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import argument, optional
from airflow_provider_sfjwt.exceptions import ConfigurationError

#: Bytes of a column's name at most. Paths to parents' fields are the longest that Salesforce has, with less than 200.
_LONGEST_NAME = 255
ADVICE = "CAST it in the SQL to a type that says what is meant, or leave it out"

Parameters = Sequence[Any] | Mapping[str, Any] | None


def _parameters(value: Any) -> str | None:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        return None
    return f"must be a list of values, or a dict of values by their names, not {value!r}"


@dataclass(frozen=True, kw_only=True)
class QuerySpec(arguments.Spec):
    """A query.

    :param sql: one statement that returns rows and changes nothing.
    :param sql_conn_id: an Airflow connection to a database.
    :param parameters: the values of its placeholders, as the database's driver takes them.
    :param rows_per_part: of a part of the data set, about.
    """

    sql: str = argument(arguments.name)
    sql_conn_id: str = argument(arguments.name)
    parameters: Parameters = argument(optional(_parameters), default=None)
    rows_per_part: int = 500_000

    @property
    def statement(self) -> str:
        """The SQL without what ends it."""
        return self.sql.strip().rstrip(";").rstrip()

    @property
    def sha256(self) -> str:
        """In hex, of the SQL, its parameters and its connection: another query has another one."""
        asked = [self.sql_conn_id, self.sql, self.parameters]
        return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class QueryToFilesSpec(QuerySpec):
    """A query whose rows are written as a data set.

    :param output_path: the folder of the data set.
    """

    output_path: str = argument(arguments.folder)


@dataclass(frozen=True)
class QueryColumn:
    """A column of a query.

    :param name: as the query names it.
    :param sql_type: as the database calls it; as Python calls its values where the driver does not tell types.
    :param arrow_type: as a receipt names it, e.g. ``decimal128(18, 2)``.
    """

    name: str
    sql_type: str
    arrow_type: str

    def entry(self) -> dict[str, str]:
        """The column as a receipt lists it."""
        return {
            "name": self.name,
            "salesforce_type": "string",
            "arrow_type": self.arrow_type,
            "sql_type": self.sql_type,
        }


def refused(faults: Mapping[str, str]) -> ConfigurationError:
    """An error that names columns of a query.

    :param faults: what is wrong, by the names of the columns.
    """
    told = "; ".join(f"column {name}: {fault}" for name, fault in faults.items())
    return ConfigurationError({"sql": told}, subject="the task")


def refused_query(fault: str) -> ConfigurationError:
    """An error about a query as a whole.

    :param fault: what is wrong with it.
    """
    return ConfigurationError({"sql": fault}, subject="the task")


def check_names(names: Iterable[str], cut_at: int | None = None) -> None:
    """Refuse columns that a load could not tell apart.

    :param names: of the columns, in order.
    :param cut_at: the bytes after which the database cuts a name off in silence; None where it does not.
    :raises ConfigurationError: naming every such column.
    """
    faults: dict[str, str] = {}
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        size = len(name.encode())
        if not name.strip() or name == "?column?":
            faults[str(place)] = "has no name; give it one with AS"
        elif name.lower() in seen:
            faults[name] = f"is there twice, as columns {seen[name.lower()]} and {place}; give one another name with AS"
        elif cut_at is not None and size >= cut_at:
            faults[name] = (
                f"has a name of {size} bytes, where the database cuts longer ones off; give it a shorter one with AS, "
                "and map it with column_mapping"
            )
        elif size > _LONGEST_NAME:
            faults[name[:40] + "…"] = f"has a name of {size} bytes, and {_LONGEST_NAME} are allowed; shorten it with AS"
        seen.setdefault(name.lower(), place)
    if faults:
        raise refused(faults)
