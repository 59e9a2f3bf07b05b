"""Which objects a sync has: names and patterns, over those that the user may query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_sfjwt.salesforce.org.described_object import did_you_mean


@dataclass(frozen=True)
class Chosen:
    """An object of a sync.

    :param sobject: its API name, as Salesforce spells it.
    :param by_name: whether the author named it, so that it is a fault if it cannot be queried; false where a pattern
        found it.
    """

    sobject: str
    by_name: bool


@dataclass(frozen=True)
class Selection:
    """What names and patterns come to in an org.

    :param chosen: the objects, each once, in the order of the names and patterns.
    :param faults: what is wrong with a name or a pattern, by that.
    """

    chosen: tuple[Chosen, ...]
    faults: Mapping[str, str]


def select(objects: Sequence[str], exclude: Sequence[str], listed: Sequence[Mapping[str, Any]]) -> Selection:
    """Find the objects that names and patterns mean.

    :param objects: names, and patterns with ``*`` and ``?``, in any case.
    :param exclude: names and patterns of what is left out.
    :param listed: the org's objects, of ``describe_global``.
    """
    names = {each["name"].lower(): str(each["name"]) for each in listed}
    queryable = {each["name"].lower() for each in listed if each.get("queryable")}
    chosen: dict[str, Chosen] = {}
    faults: dict[str, str] = {}
    for wanted in objects:
        if _is_pattern(wanted):
            found = [name for name in sorted(queryable) if fnmatchcase(name, wanted.lower())]
            found = [name for name in found if not _is_one_of(name, exclude)]
            if not found:
                faults[wanted] = (
                    "matches no object that the user may query and that is not excluded. Check the pattern (custom "
                    "objects end in __c) and the user's permission sets"
                )
            for name in found:
                chosen.setdefault(name, Chosen(names[name], by_name=False))
        elif wanted.lower() not in names:
            hint = did_you_mean(wanted, names.values())
            faults[wanted] = (
                f"does not exist in the org{hint}, or the user may not see it. Check the API name (custom objects end "
                "in __c) and the user's permission sets"
            )
        elif wanted.lower() not in queryable:
            faults[wanted] = "cannot be queried, so Salesforce says. Leave it out"
        elif not _is_one_of(wanted.lower(), exclude):
            chosen[wanted.lower()] = Chosen(names[wanted.lower()], by_name=True)
    return Selection(tuple(chosen.values()), faults)


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, each.lower()) for each in patterns)
