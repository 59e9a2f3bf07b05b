"""What a test scripts for single records: locks, validation rules, and assignment rules for new records."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.dml.outcomes import RowError

Record = dict[str, Any]
Predicate = Callable[[Record], bool]
Where = Predicate | Mapping[str, Any] | None


@dataclass
class Lock:
    """Records that somebody else holds for a while.

    :param matches: whether a record is one of them.
    :param times: attempts that fail, for each record.
    """

    matches: Predicate
    times: int | None
    attempts: dict[Any, int] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignmentRule:
    """Gives new records to a user.

    :param active: whether it works for requests that name no rule.
    """

    id: str
    owner: str
    active: bool


class RowFaults:
    """Locks and rules of an org's records, by object."""

    def __init__(self) -> None:
        self._locks: dict[str, list[Lock]] = {}
        self._rules: dict[str, list[tuple[Predicate, str, tuple[str, ...]]]] = {}
        self._assignments: dict[str, list[AssignmentRule]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def lock(self, sobject: SObject, where: Where, times: int | None) -> None:
        """Let the writing of matching records fail so many times."""
        with self._lock:
            self._locks.setdefault(sobject.name, []).append(Lock(_predicate(where), times))

    def add_rule(self, sobject: SObject, broken: Predicate, message: str, fields: tuple[str, ...]) -> None:
        """Refuse records of which the predicate is true."""
        with self._lock:
            self._rules.setdefault(sobject.name, []).append((broken, message, fields))

    def add_assignment(self, sobject: SObject, owner: str, active: bool) -> str:
        """Give new records to a user and return the rule's id."""
        with self._lock:
            made = AssignmentRule(record_id("01Q", next(self._numbers)), canonical_id(owner) or owner, active)
            self._assignments.setdefault(sobject.name, []).append(made)
        return made.id

    def concern(self, sobject: SObject) -> bool:
        """Whether there is anything to ask for an object's records."""
        return sobject.name in self._locks or sobject.name in self._rules

    def locked(self, sobject: SObject, record: Record, sent: Mapping[str, object]) -> RowError | None:
        """Count one attempt to write a record and say whether it is locked.

        https://help.salesforce.com/s/articleView?id=000387767&type=1

        :param record: as it would become; with ``Id`` where it has one.
        :param sent: what was sent of it, by which a record without an id is known again.
        """
        for lock in self._locks.get(sobject.name, ()):
            if not lock.matches(record):
                continue
            with self._lock:
                identity = record.get("Id") or tuple(sorted((name, repr(value)) for name, value in sent.items()))
                attempts = lock.attempts.get(identity, 0)
                lock.attempts[identity] = attempts + 1
            if lock.times is None or attempts < lock.times:
                held = f" or 1 records: {record['Id']}" if record.get("Id") else ""
                return RowError("UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record{held}")
        return None

    def broken_rule(self, sobject: SObject, record: Record) -> RowError | None:
        """Return the error of the first validation rule that a record breaks."""
        for broken, message, fields in self._rules.get(sobject.name, ()):
            if broken(record):
                return RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, *fields)
        return None

    def owner(self, sobject: SObject, rule: str) -> str | None:
        """Return who gets a new record.

        :param rule: id of an assignment rule, ``TRUE`` for the active one, ``FALSE`` or nothing for none.
        :raises KeyError: for an id that is not a rule of the object.
        """
        rules = self._assignments.get(sobject.name, [])
        if rule.upper() in ("", "FALSE"):
            return None
        if rule.upper() == "TRUE":
            return next((known.owner for known in rules if known.active), None)
        found = next((known.owner for known in rules if known.id[:15] == rule[:15]), None)
        if found is None:
            raise KeyError(rule)
        return found


def _predicate(where: Where) -> Predicate:
    if where is None:
        return lambda record: True
    if callable(where):
        return where
    wanted = {name: _choices(value) for name, value in where.items()}
    return lambda record: all(record.get(name) in choices for name, choices in wanted.items())


def _choices(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)
