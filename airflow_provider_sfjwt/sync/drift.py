"""What happens when the fields of an object change: compared are the columns of the chain's last receipt."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.columns import columns_of_sobject
from airflow_provider_sfjwt.files.data_sets.receipt import Backfill, Receipt, column_entry, drift_between, schema_hash
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.sync.chain import last_window, newest_first
from airflow_provider_sfjwt.sync.turn import Turn

log = logging.getLogger(__name__)

#: What a reader of the chain needs of every row, where the object has it.
_ALWAYS = ("Id", "IsDeleted", "SystemModstamp")
_EVERY_ROW = "Id != null"


@dataclass(frozen=True)
class Evolved:
    """The fields of a window's rows.

    :param fields: names; None for every field that Bulk API 2.0 can return.
    :param drift: the names that were ``added``, ``removed`` and ``retyped`` since the last receipt; None for the first.
    :param backfill: which rows that were extracted before come again; None for no rows.
    """

    fields: Sequence[str] | None
    drift: Mapping[str, list[str]] | None = None
    backfill: Backfill | None = None


def evolve(turn: Turn) -> Evolved:
    """Compare the object's fields with those of the chain, and do what ``on_schema_change`` says.

    :param turn: the object's turn.
    :raises ConfigurationError: when the policy is ``fail``, or a field has another type, which no column may take.
    """
    fields = asked_fields(turn)
    if turn.state.receipt is None:
        return Evolved(fields)
    columns = columns_of_sobject(turn.described, fields, None)
    entries = tuple(column_entry(each.kept_as(turn.spec.numbers)) for each in columns)
    if schema_hash(entries) == turn.state.schema_sha256:  # most runs of most objects: no receipt has to be read
        return Evolved(fields, {"added": [], "removed": [], "retyped": []})
    last = last_window(turn.root, turn.state)
    drift = {**(drift_between(last, entries) or {}), "retyped": retyped(last, columns, turn.spec.numbers)}
    if turn.spec.on_schema_change == "ignore":
        kept = [column.name for column in columns if column.name not in drift["added"]]
        return Evolved(kept if drift["added"] else fields, {**drift, "added": []})
    _refuse(turn, drift)
    for what, names in drift.items():
        if names:
            log.warning("%s: fields were %s since the last run: %s", turn.sobject, what, ", ".join(names))
    return Evolved(fields, drift, _backfill(turn, drift["added"]))


def asked_fields(turn: Turn) -> Sequence[str] | None:
    """The fields that the author asked for, and those without which no reader can tell rows and their states apart.

    :param turn: the object's turn.
    :return: None for every field that Bulk API 2.0 can return.
    """
    asked = turn.asked.fields
    if asked is None:
        return None
    wanted = [*_ALWAYS, *([turn.cursor_field] if turn.cursor_field else [])]
    given = {name.lower() for name in asked}
    missing = [name for name in dict.fromkeys(wanted) if name.lower() not in given and turn.described.field(name)]
    return [*missing, *asked]


def retyped(last: Receipt, columns: Sequence[Column], numbers: str) -> list[str]:
    """The fields whose values would be of another Arrow type than those of the chain.

    :param last: the chain's last receipt of whole rows.
    :param columns: of the object, now.
    :param numbers: how fractional numbers are kept.
    """
    before = {each["name"]: each for each in last.columns if each["name"] not in (last.widened or ())}
    return [
        column.name
        for column in columns
        if (old := before.get(column.name))
        and _kind(old["arrow_type"], numbers) != _kind(column.kept_as(numbers).arrow_type, numbers)
    ]


def _kind(arrow_type: str, numbers: str) -> str:
    """What a column holds; by description, numbers of another precision are of another type."""
    return arrow_type if numbers == "described" else arrow_type.partition("(")[0]


def _refuse(turn: Turn, drift: Mapping[str, list[str]]) -> None:
    reset = f"airflow-salesforce-jwt sync reset {turn.root.path} --sobject {turn.sobject}"
    if names := drift["retyped"]:
        fault = (
            f"{turn.sobject}: {', '.join(names)} has another type than in the chain, where no column may change its "
            f"type. Extract all rows anew ({reset}), or leave the field out by overrides"
        )
    elif turn.spec.on_schema_change == "fail" and any(drift.values()):
        changes = "; ".join(f"{what}: {', '.join(names)}" for what, names in drift.items() if names)
        fault = (
            f"the fields of {turn.sobject} changed ({changes}), and on_schema_change is 'fail'. Take 'evolve' for a "
            f"run, name fields by overrides, or extract all rows anew: {reset}"
        )
    else:
        return
    raise ConfigurationError({"on_schema_change": fault}, subject="the task")


def _backfill(turn: Turn, added: Sequence[str]) -> Backfill | None:
    """Which of the rows before the window have values of new fields."""
    if not added or turn.window is None or turn.state.reached is None:
        return None
    log.warning("%s: rows that were extracted before come again for %s", turn.sobject, ", ".join(added))
    conditions = [_has_value(turn.described.field(name), name) for name in added]
    every_row = _EVERY_ROW in conditions or _chain_had(turn, set(added))
    return Backfill(tuple(added), _EVERY_ROW if every_row else " OR ".join(conditions))


def _has_value(field: Mapping[str, Any] | None, name: str) -> str:
    """A condition that every row with a value meets; a checkbox has one in every row."""
    if field is None or field["type"] == "boolean" or not field.get("filterable", True):
        return _EVERY_ROW
    return f"{name} != null"


def _chain_had(turn: Turn, names: set[str]) -> bool:
    """Whether the chain had one of the fields before: readers may hold values of it that are no longer there."""
    chain = newest_first(turn.root, turn.state)
    return any(names & {each["name"] for each in data_set.receipt.columns} for data_set in chain)
