"""Which columns of an extract go into which columns of a table, and what a merge needs besides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables.spec import RowsSpec

S = TypeVar("S", bound=RowsSpec)

#: Where a word of a CamelCase name ends.
_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: Columns that decide about a row: whether it was deleted, and which of two states is newer.
DELETED, CHANGED = "IsDeleted", "SystemModstamp"
#: What a column holds, by the beginning of the receipt's ``arrow_type``.
_KINDS = {
    "string": "text",
    "bool": "boolean",
    "int64": "integer",
    "decimal128": "decimal",
    "float64": "double",
    "double": "double",
    "date32": "date",
    "time32": "time",
    "time64": "time",
    "timestamp": "timestamp",
}


@dataclass(frozen=True)
class MergeColumn:
    """A column of the extract on its way into the table.

    :param source: its name in the extract.
    :param name: its name in the table; None for one that is staged and goes no further.
    :param arrow_type: as the receipt names it, e.g. ``decimal128(38, 18)``.
    :param staged: its name in the staging table.
    """

    source: str
    name: str | None
    arrow_type: str
    staged: str

    @property
    def kind(self) -> str:
        """What it holds: text, boolean, integer, decimal, double, date, time or timestamp."""
        return _KINDS[re.split(r"[\[(]", self.arrow_type)[0]]


@dataclass(frozen=True)
class MergeColumns:
    """All columns of a merge.

    :param staged: every column that is read from the parts, in order.
    :param key: those that tell rows apart; empty where the extract has none, which ``merge`` refuses.
    :param deleted: whether a row was deleted, or None where the extract does not say.
    :param changed: when a row last changed, or None.
    """

    staged: tuple[MergeColumn, ...]
    key: tuple[MergeColumn, ...]
    deleted: MergeColumn | None
    changed: MergeColumn | None

    @property
    def table(self) -> tuple[MergeColumn, ...]:
        """Those that go into the table."""
        return tuple(column for column in self.staged if column.name is not None)


def deletion_columns(columns: MergeColumns) -> MergeColumns:
    """The columns of a list of deleted records, which is merged into the same table.

    :param columns: of the rows.
    :raises ConfigurationError: where the table's rows cannot be found by their id.
    """
    if [column.source for column in columns.key] != ["Id"]:
        names = ", ".join(column.source for column in columns.key)
        fault = f"is {names}, and the extract lists deleted records by Id: leave key out, or give deleted='ignore'"
        raise ConfigurationError({"key": fault}, subject="the task")
    known = {column.source: column.name for column in columns.staged}
    changed = columns.changed.name if columns.changed is not None else None
    key = MergeColumn("Id", known["Id"], "string", "c0")
    when = MergeColumn("DeletedDate", changed, "timestamp[ms, tz=UTC]", "c1")
    deleted = MergeColumn(DELETED, known.get(DELETED), "bool", "c2")
    return MergeColumns((key, when, deleted), (key,), deleted, when if changed else None)


def of_formulas(spec: S, columns: Sequence[Mapping[str, str]]) -> S:
    """What is asked for, as far as it concerns rows that have ``Id`` and formula fields alone.

    :param spec: of whole rows.
    :param columns: as the receipt lists them.
    :raises ConfigurationError: where the table's rows cannot be found by their id.
    """
    if [name.lower() for name in spec.key_columns] != ["id"]:
        fault = f"is {', '.join(spec.key_columns)}, and new values of formula fields come by Id: leave key out"
        raise ConfigurationError({"key": fault}, subject="the task")
    known = {each["name"].lower() for each in columns}
    wanted = None if spec.columns is None else [name for name in spec.columns if name.lower() in known]
    mapping = {name: new for name, new in (spec.column_mapping or {}).items() if name.lower() in known}
    return replace(spec, columns=wanted, column_mapping=mapping, deleted="ignore")


def snake_case(name: str) -> str:
    """A Salesforce name in snake case: ``Owner.FirstName`` is ``owner_first_name``.

    :param name: of a field, or a path to a parent's field.
    """
    return re.sub(r"[\W_]+", "_", _WORD_END.sub("_", name)).strip("_").lower()


def merge_columns(spec: RowsSpec, columns: Sequence[Mapping[str, str]], folds_case: bool) -> MergeColumns:
    """Decide what becomes of each column of an extract.

    :param spec: what is asked for.
    :param columns: as the receipt lists them.
    :param folds_case: whether the database takes two names that differ in case alone for one.
    :raises ConfigurationError: with every argument that does not fit the extract.
    """
    types = {each["name"]: each["arrow_type"] for each in columns}
    known = {name.lower(): name for name in types}
    faults = _unknown_names(spec, known)
    wanted = {known[name.lower()] for name in spec.columns or types if name.lower() in known}
    mapping = {known.get(name.lower(), name): new for name, new in (spec.column_mapping or {}).items()}
    names = {name: _name_in_table(name, mapping, spec) if name in wanted else None for name in types}
    keys = [known[name.lower()] for name in spec.key_columns if name.lower() in known]
    faults.update(_faults_of_key(spec, keys, names))
    if twice := _same_names(names, folds_case):
        faults.setdefault("column_mapping", twice)
    if spec.mode == "merge" and spec.deleted == "mark" and names.get(known.get(DELETED.lower(), "")) is None:
        faults["deleted"] = f"'mark' keeps {DELETED} in the table, and it is not among the columns that go there"
    if faults:
        raise ConfigurationError(faults, subject="the task")
    needed = [name for name in types if names[name] is not None or name in keys or name in (DELETED, CHANGED)]
    staged = {name: MergeColumn(name, names[name], types[name], f"c{place}") for place, name in enumerate(needed)}
    deleted, changed = staged.get(DELETED), staged.get(CHANGED)
    return MergeColumns(
        staged=tuple(staged.values()),
        key=tuple(staged[name] for name in keys) if len(keys) == len(spec.key_columns) else (),
        deleted=deleted if deleted is not None and deleted.kind == "boolean" else None,
        changed=changed if changed is not None and changed.name and changed.kind == "timestamp" else None,
    )


def _unknown_names(spec: RowsSpec, known: Mapping[str, str]) -> dict[str, str]:
    """Names of columns that the extract does not have, by argument."""
    given: dict[str, Sequence[str]] = {
        "columns": spec.columns or (),
        "column_mapping": tuple(spec.column_mapping or ()),
    }
    if spec.mode == "merge":
        given["key"] = spec.key_columns
    faults = {}
    for argument, names in given.items():
        if missing := [name for name in names if name.lower() not in known]:
            faults[argument] = f"the extract has no column {', '.join(missing)}; it has {', '.join(known.values())}"
    return faults


def _faults_of_key(spec: RowsSpec, keys: Sequence[str], names: Mapping[str, str | None]) -> dict[str, str]:
    left_out = [name for name in keys if names[name] is None]
    if spec.mode == "merge" and left_out:
        return {"key": f"{', '.join(left_out)} is not among the columns that go into the table"}
    return {}


def _name_in_table(name: str, mapping: Mapping[str, str | None], spec: RowsSpec) -> str | None:
    if name in mapping:
        return mapping[name]
    return snake_case(name) if spec.naming == "snake" else name


def _same_names(names: Mapping[str, str | None], folds_case: bool) -> str | None:
    seen: dict[str, str] = {}
    for source, name in names.items():
        if name is None:
            continue
        folded = name.lower() if folds_case else name
        if folded in seen:
            return f"columns {seen[folded]} and {source} would both be {name} in the table; give one another name"
        seen[folded] = source
    return None
