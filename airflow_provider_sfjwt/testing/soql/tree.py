"""The parts of a parsed SOQL query."""

from __future__ import annotations

from dataclasses import dataclass

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "MIN", "MAX", "AVG", "GROUPING"})


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
class Call:
    """A function of a field or of another function; ``COUNT()`` has no argument.

    :param function: upper case.
    """

    function: str
    argument: Expression | None
    position: int

    @property
    def text(self) -> str:
        """The call as SOQL spells it."""
        return f"{self.function}({self.argument.text if self.argument else ''})"

    @property
    def is_aggregate(self) -> bool:
        """Whether it is computed from many rows, itself or by its argument."""
        inner = self.argument
        return self.function in AGGREGATES or (isinstance(inner, Call) and inner.is_aggregate)


Expression = Path | Call


@dataclass(frozen=True)
class Selected:
    """A field or function in the SELECT list, and the name that the query gives it."""

    expression: Expression
    alias: str | None = None


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
class TypeOf:
    """``TYPEOF What WHEN Account THEN Phone ELSE Name END``.

    :param relationship: the lookup of several objects.
    :param branches: an object's name and the fields to select of it.
    :param otherwise: fields to select of every other object.
    """

    relationship: Path
    branches: tuple[tuple[Path, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True)
class Literal:
    """A value in the text.

    :param kind: ``string``, ``number``, ``currency`` (``USD5000``), ``date``, ``datetime``, ``time``, ``boolean``,
        ``null`` or ``range`` (``TODAY``, ``LAST_N_DAYS:7``).
    :param text: unescaped.
    """

    kind: str
    text: str
    position: int


@dataclass(frozen=True)
class Comparison:
    """``expression operator literal``; the operator in upper case, ``<>`` as ``!=``."""

    expression: Expression
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Among:
    """``expression [NOT] IN (literals)``."""

    expression: Expression
    negated: bool
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class SemiJoin:
    """``path [NOT] IN (SELECT …)``."""

    path: Path
    negated: bool
    query: Query
    position: int


@dataclass(frozen=True)
class Includes:
    """``path INCLUDES ('a;b', 'c')``; negated: ``EXCLUDES``."""

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


Condition = Comparison | Among | SemiJoin | Includes | Negation | Junction
SelectItem = Selected | FieldsOf | SubQuery | TypeOf


@dataclass(frozen=True)
class Grouping:
    """``GROUP BY a, b``; ``kind`` is ``ROLLUP`` or ``CUBE`` where the query asks for subtotals."""

    expressions: tuple[Expression, ...]
    kind: str = ""


@dataclass(frozen=True)
class Order:
    """One term of ORDER BY; nulls come first unless the text says otherwise, in either direction."""

    expression: Expression
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True)
class Query:
    """A SOQL query.

    :param alias: of the object.
    :param further: parents after the first object of FROM, by their aliases: ``FROM Contact c, c.Account a``.
    :param scope: of ``USING SCOPE``, lower case.
    :param all_rows: whether it ends with ``ALL ROWS``.
    """

    text: str
    items: tuple[SelectItem, ...]
    sobject: Path
    alias: str | None = None
    further: tuple[tuple[str, Path], ...] = ()
    scope: str | None = None
    where: Condition | None = None
    group_by: Grouping | None = None
    having: Condition | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None
    all_rows: bool = False

    @property
    def is_bare_count(self) -> bool:
        """Whether it is ``SELECT COUNT() FROM …``, which answers a number and no records."""
        first = self.items[0]
        return isinstance(first, Selected) and isinstance(first.expression, Call) and first.expression.text == "COUNT()"

    @property
    def is_aggregate(self) -> bool:
        """Whether its rows are ``AggregateResult``."""
        return self.group_by is not None or any(
            isinstance(item, Selected) and isinstance(item.expression, Call) and item.expression.is_aggregate
            for item in self.items
        )
