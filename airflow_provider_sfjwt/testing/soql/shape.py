"""What a query became: its SQL, and the shape of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.values import Stored


@dataclass(frozen=True)
class Leaf:
    """One value of a row.

    :param key: its name in the answer.
    :param index: the column that holds it.
    :param function: the function as SOQL spells it, where it is one.
    """

    key: str
    index: int
    field: Field
    function: str = ""


@dataclass(frozen=True)
class Compound:
    """A compound field: its key and its parts."""

    key: str
    kind: str
    parts: tuple[Leaf, ...]


@dataclass(frozen=True)
class Children:
    """A sub-query: run once for each row, bound to the parent's id."""

    key: str
    compiled: Compiled
    link: str


@dataclass
class Parent:
    """A parent in a row; ``key`` is empty for the row itself.

    :param sobject: what it is; the object ``Name`` for a lookup of several objects.
    :param type_index: the column with the name of its real object, where ``sobject`` does not say it.
    """

    key: str
    sobject: SObject
    id_index: int
    type_index: int | None = None
    members: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Variants:
    """A parent that was selected by ``TYPEOF``.

    :param type_index: the column with the name of its real object.
    :param branches: by that name.
    :param otherwise: for every other object; None: nothing of it was selected.
    """

    key: str
    type_index: int
    branches: dict[str, Parent]
    otherwise: Parent | None


Node = Leaf | Compound | Children | Parent | Variants


@dataclass
class Compiled:
    """What a query became.

    :param sql: its columns are ``c0``, ``c1``…
    :param row: the shape of a row.
    :param leaves: every selected value in SELECT order, keyed by its path: a CSV's columns.
    :param aggregate: rows are AggregateResult, which has no id.
    """

    sql: str
    parameters: list[Stored]
    row: Parent
    leaves: list[Leaf]
    aggregate: bool
