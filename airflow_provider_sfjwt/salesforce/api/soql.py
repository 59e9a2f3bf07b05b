"""The little of SOQL that is read here: enough to write an extract's query and to name what Bulk API 2.0 refuses.

Salesforce judges a query. Nothing here refuses one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
#: What Bulk API 2.0 does not run, by how it is written.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
_NOT_IN_BULK = (
    (re.compile(r"\b(?:COUNT|COUNT_DISTINCT|SUM|AVG|MIN|MAX)\s*\([^)]*\)", re.IGNORECASE), None),
    (re.compile(r"\bGROUP\s+BY\b", re.IGNORECASE), "GROUP BY"),
    (re.compile(r"\bOFFSET\s+\d+", re.IGNORECASE), "OFFSET"),
    (re.compile(r"\bTYPEOF\b", re.IGNORECASE), "TYPEOF"),
    (re.compile(r"\bFIELDS\s*\(\s*\w+\s*\)", re.IGNORECASE), None),
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
    utc = moment.astimezone(timezone.utc)
    fraction = f".{utc.microsecond // 1000:03d}" if utc.microsecond >= 1000 else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def sobject_of(soql: str) -> str | None:
    """The object that a query reads, or None where it cannot be told.

    :param soql: the query.
    """
    match = re.search(r"\bFROM\s+(\w+)", _outermost(soql), re.IGNORECASE)
    return match[1] if match else None


def selected(soql: str) -> list[str]:
    """What a query selects, as it is written.

    :param soql: the query.
    """
    match = re.search(r"\bSELECT\b(.*?)\bFROM\b", _outermost(soql), re.IGNORECASE | re.DOTALL)
    return [each.strip() for each in match[1].split(",") if each.strip()] if match else []


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
    text = _STRING.sub("''", soql)
    found = []
    for pattern, name in _NOT_IN_BULK:
        match = pattern.search(text)
        if match:
            found.append(name or match[0])
    return found


def _outermost(soql: str) -> str:
    """The query without its strings and without whatever stands in parentheses."""
    text, before = _STRING.sub("''", soql), None
    while text != before:
        text, before = re.sub(r"\([^()]*\)", "", text), text
    return text
