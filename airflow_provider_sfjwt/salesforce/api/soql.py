"""The little of SOQL that is read here: enough to write an extract's query and to name what Bulk API 2.0 refuses.

Salesforce judges a query. Nothing here refuses one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

#: What counts within a string: an escaped character, and the quote that ends it.
_IN_STRING = re.compile(r"\\.|'", re.DOTALL)
_SELECT, _FROM = re.compile(r"\bSELECT\b", re.IGNORECASE), re.compile(r"\bFROM\b", re.IGNORECASE)
_FIELD = re.compile(r"([\w.]+)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE)
_CALL = re.compile(r"(\w+)\s*\((.*)\)\s*(?:AS\s+)?(\w+)?", re.IGNORECASE | re.DOTALL)
#: Functions that are looked into, one within another. SOQL knows two.
_MOST_CALLS = 10
#: Functions whose value stands where the field's would, unless they have an alias.
_OF_ONE_FIELD = frozenset({"tolabel", "format", "convertcurrency"})
#: An object after FROM, its alias, and the comma before the next one.
_SOURCE = re.compile(
    r"\s*([\w.]+)(?:\s+AS\b)?"
    r"(?:\s+(?!(?:WHERE|USING|WITH|GROUP|HAVING|ORDER|LIMIT|OFFSET|FOR|ALL|UPDATE)\b)(\w+))?\s*(,?)",
    re.IGNORECASE,
)
#: What Bulk API 2.0 does not run, by how it is written. What has no name here is called as it stands in the query, up
#: to its closing parenthesis.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
_NOT_IN_BULK = (
    (re.compile(r"\b(?:COUNT|COUNT_DISTINCT|SUM|AVG|MIN|MAX)\s*\(", re.IGNORECASE), None),
    (re.compile(r"\bGROUP\s+BY\b", re.IGNORECASE), "GROUP BY"),
    (re.compile(r"\bOFFSET\s+\d+", re.IGNORECASE), "OFFSET"),
    (re.compile(r"\bTYPEOF\b", re.IGNORECASE), "TYPEOF"),
    (re.compile(r"\bFIELDS\s*\(\s*\w+(?=\s*\))", re.IGNORECASE), None),
    # In the list of fields; a condition's IN (SELECT …) is fine.
    (re.compile(r"(?:\bSELECT|,)\s*\(\s*SELECT\b", re.IGNORECASE), "a parent-to-child sub-query"),
)


def select(sobject: str, fields: Sequence[str], where: str | None = None) -> str:
    """Write a query.

    :param sobject: the object's API name.
    :param fields: the fields to select, in order.
    :param where: a condition, or None for all rows.
    """
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {', '.join(fields)} FROM {sobject}{condition}"


def within(field: str, start: datetime | None, end: datetime) -> str:
    """The condition that a date-time field lies in ``[start, end)``.

    Half-open, so that windows that follow each other share no row and lose none.

    :param field: the field's API name.
    :param start: timezone-aware, or None for everything before ``end``.
    :param end: timezone-aware.
    """
    upper = f"{field} < {literal(end)}"
    return upper if start is None else f"{field} >= {literal(start)} AND {upper}"


def literal(moment: datetime) -> str:
    """A date-time as SOQL writes it, in UTC and unquoted, with milliseconds where there are any.

    :param moment: timezone-aware.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_dateformats.htm
    """
    utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds' if utc.microsecond >= 1000 else 'seconds')}Z"


def sobject_of(soql: str) -> str | None:
    """The object that a query reads, or None where it is unclear.

    :param soql: the query.
    """
    clauses = _Clauses.of(soql)
    match = _SOURCE.match(clauses.sources)
    return match[1].partition(".")[0] if match else None


@dataclass(frozen=True)
class Selected:
    """What a query selects between two commas: a field, or a function.

    :param key: what the rows call it: the alias; else the field as it is written; else ``expr0``, ``expr1``, …
    :param path: the field, as it is written; None where the value is computed from more than one field or none.
    :param function: the outermost function in lower case, or None.
    """

    key: str
    path: str | None
    function: str | None = None


def selected(soql: str) -> list[Selected]:
    """What a query selects, without sub-queries, ``TYPEOF`` and ``FIELDS()``.

    :param soql: the query.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_agg_functions_aliasing.htm
    """
    found: list[Selected] = []
    unnamed = 0
    for text in _Clauses.of(soql).items:
        if match := _FIELD.fullmatch(text):
            found.append(Selected(match[2] or match[1], match[1]))
        elif (match := _CALL.fullmatch(text)) and match[1].lower() != "fields":
            path = _field_in(text) if match[1].lower() in _OF_ONE_FIELD else None
            found.append(Selected(match[3] or path or f"expr{unnamed}", path, match[1].lower()))
            unnamed += match[3] is None and path is None
    return found


def aliases(soql: str) -> dict[str, tuple[str, ...]]:
    """What may stand before a field beside relationships: the queried object's name, and the aliases after ``FROM``.

    :param soql: the query, e.g. ``SELECT a.Name FROM Contact c, c.Account a``.
    :return: by name in lower case, the relationships that lead there from the queried object, e.g.
        ``{"contact": (), "c": (), "a": ("Account",)}``.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_alias.htm
    """
    known: dict[str, tuple[str, ...]] = {}
    text, place = _Clauses.of(soql).sources, 0
    while match := _SOURCE.match(text, place):
        name, alias, comma = match.groups()
        first, *rest = name.split(".")
        if not known:
            path: tuple[str, ...] = ()
            known[first.lower()] = path
        else:
            path = (*known.get(first.lower(), (first,)), *rest)
        known[(alias or name.rpartition(".")[2]).lower()] = path
        if not comma:
            break
        place = match.end()
    return known


def is_count(soql: str) -> bool:
    """Whether a query is ``SELECT COUNT() FROM …``, which is answered with a number and no rows.

    :param soql: the query.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_count.htm
    """
    return re.match(r"\s*SELECT\s+COUNT\s*\(\s*\)\s+FROM\b", soql, re.IGNORECASE) is not None


def not_in_bulk(soql: str) -> list[str]:
    """What of a query Bulk API 2.0 does not run.

    :param soql: the query.
    :return: as it is written or by its name, e.g. ``COUNT(Id)`` or ``GROUP BY``; nothing in most cases.
    """
    text = _without_strings(soql, "")
    found = []
    for pattern, name in _NOT_IN_BULK:
        match = pattern.search(text)
        end = text.find(")", match.end()) if match else -1
        if match and (name or end >= 0):
            found.append(name or text[match.start() : end + 1])
    return found


def _field_in(call: str) -> str | None:
    """The field in a function of one field, such as ``FORMAT(convertCurrency(Amount))``."""
    for _ in range(_MOST_CALLS):
        if not (match := _CALL.fullmatch(call)):
            break
        call = match[2].strip()
    return call if _FIELD.fullmatch(call) and " " not in call else None


@dataclass(frozen=True)
class _Clauses:
    """The outermost ``SELECT`` of a query, without its strings.

    :param items: what stands between the commas of the list of fields.
    :param sources: what follows ``FROM``.
    """

    items: list[str]
    sources: str

    @classmethod
    def of(cls, soql: str) -> _Clauses:
        text = _without_strings(soql, "_")
        shown = _outermost(text)
        select = _SELECT.search(shown)
        source = _FROM.search(shown, select.end() if select else 0) or _FROM.search(shown)
        if select is None or source is None or source.start() < select.end():
            return cls([], shown[source.end() :] if source else "")
        commas = [place for place in range(select.end(), source.start()) if shown[place] == ","]
        starts = [select.end(), *(place + 1 for place in commas)]
        items = [text[start:end].strip() for start, end in zip(starts, [*commas, source.start()], strict=True)]
        return cls([each for each in items if each], shown[source.end() :])


def _without_strings(soql: str, mark: str) -> str:
    """The query with empty strings in place of its own; or with a mark for each character. An open one stays."""
    parts, place = [], 0
    while (start := soql.find("'", place)) >= 0:
        end = next((each.end() for each in _IN_STRING.finditer(soql, start + 1) if each[0] == "'"), None)
        if end is None:
            break
        parts += [soql[place : start + 1], mark * (end - start - 2), "'"]
        place = end
    return "".join([*parts, soql[place:]])


def _outermost(text: str) -> str:
    """The text with a blank in place of each character in parentheses."""
    shown, depth = [], 0
    for character in text:
        depth -= character == ")" and depth > 0
        shown.append(" " if depth else character)
        depth += character == "("
    return "".join(shown)
