"""The parts of a parsed SOQL query."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Path:
    """A field by its path, ``("Account", "Owner", "Name")``, and where it stands in the text."""

    names: tuple[str, ...]
    position: int

    @property
    def text(self) -> str:
        """The path as SOQL spells it."""
        return ".".join(self.names)


@dataclass(frozen=True)
class Aggregate:
    """``COUNT()`` (path None), ``COUNT(f)``, ``COUNT_DISTINCT(f)``, ``SUM(f)``, ``MIN(f)``, ``MAX(f)``, ``AVG(f)``."""

    function: str
    path: Path | None
    alias: str | None
    position: int


@dataclass(frozen=True)
class FieldsOf:
    """``FIELDS(ALL)``, ``FIELDS(STANDARD)`` or ``FIELDS(CUSTOM)``."""

    kind: str
    position: int


@dataclass(frozen=True)
class SubQuery:
    """A query of children in the SELECT list."""

    query: Query
    position: int


@dataclass(frozen=True)
class Literal:
    """A value in the text.

    :param kind: ``string``, ``number``, ``date``, ``datetime``, ``boolean``, ``null`` or ``range``
        (``TODAY``, ``LAST_N_DAYS:7``).
    :param text: unescaped.
    """

    kind: str
    text: str
    position: int


@dataclass(frozen=True)
class Comparison:
    """``path operator literal``; the operator in upper case, ``<>`` as ``!=``."""

    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Among:
    """``path [NOT] IN (literals)``."""

    path: Path
    negated: bool
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Negation:
    """``NOT condition``."""

    condition: Condition


@dataclass(frozen=True)
class Junction:
    """Conditions joined by one operator, ``AND`` or ``OR``."""

    operator: str
    conditions: tuple[Condition, ...]


Condition = Comparison | Among | Negation | Junction
SelectItem = Path | Aggregate | FieldsOf | SubQuery


@dataclass(frozen=True)
class Order:
    """One term of ORDER BY; nulls come first unless the text says otherwise, whatever the direction."""

    item: Path | Aggregate
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True)
class Query:
    """A SOQL query."""

    text: str
    items: tuple[SelectItem, ...]
    sobject: Path
    alias: str | None = None
    where: Condition | None = None
    group_by: tuple[Path, ...] = field(default=())
    order_by: tuple[Order, ...] = field(default=())
    limit: int | None = None
    offset: int | None = None

    @property
    def is_bare_count(self) -> bool:
        """Whether it is ``SELECT COUNT() FROM …``, which answers a number and no records."""
        first = self.items[0]
        return isinstance(first, Aggregate) and first.path is None

    @property
    def is_aggregate(self) -> bool:
        """Whether its rows are ``AggregateResult``."""
        return bool(self.group_by) or any(isinstance(item, Aggregate) for item in self.items)
