"""SOQL over REST, a page at a time.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import ProtocolError, counted
from airflow_provider_sfjwt.salesforce.api.answers import OTHER_ANSWERS
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow
from airflow_provider_sfjwt.salesforce.wire.redact import shortened

__all__ = ["QueryPage", "first_page", "next_page"]

#: Levels of a row. SOQL goes up and down five each, and a compound field adds one.
#: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships_query_limits.htm
_DEEPEST = 20


@dataclass(frozen=True)
class QueryPage:
    """One page of a query's rows.

    :param records: as Salesforce sent them, without their ``attributes``.
    :param total_size: how many rows the whole query has; None where Salesforce does not count them, as for big objects.
    :param next_path: the path of the next page, or None after the last.
    """

    records: list[dict[str, Any]]
    total_size: int | None
    next_path: str | None


def first_page(
    session: Session, soql: str, *, include_deleted: bool = False, numbers_as_text: bool = False
) -> Flow[QueryPage]:
    """Run a query.

    :param session: the conversation.
    :param soql: the query.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param numbers_as_text: whether numbers come back as text with all their digits.
    :raises ApiError: for SOQL that Salesforce refuses.
    """
    resource = "queryAll" if include_deleted else "query"
    answer = yield from session.json("GET", resource, params={"q": soql}, numbers_as_text=numbers_as_text)
    return (yield from decode_page(session, answer))


def next_page(session: Session, path: str, *, numbers_as_text: bool = False) -> Flow[QueryPage]:
    """Fetch a further page.

    :param session: the conversation.
    :param path: as :attr:`QueryPage.next_path` said.
    :param numbers_as_text: as for the first page.
    """
    answer = yield from session.json("GET", path, numbers_as_text=numbers_as_text)
    return (yield from decode_page(session, answer))


def decode_page(session: Session, answer: Any, depth: int = 0) -> Flow[QueryPage]:
    """Read the answer to a query.

    :param session: the conversation, for further pages of sub-queries.
    :param answer: decoded JSON.
    :param depth: levels of rows above it.
    :raises ProtocolError: when it cannot be understood.
    """
    try:
        done, total, rows = answer["done"], int(answer["totalSize"]), answer["records"]
        path = answer.get("nextRecordsUrl") or None
        # Where nothing is counted, these two alone prove the end of the rows.
        if not isinstance(done, bool) or not isinstance(path, str if not done else str | None):
            raise TypeError
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        raise ProtocolError("the answer to a query lacks done, totalSize, records or nextRecordsUrl") from None
    if done and path and total < 0:
        raise ProtocolError(
            f"the answer to a query is the last one (done) and yet names a next one, {shortened(path)}",
            remedy=OTHER_ANSWERS,
        )
    records = []
    for row in rows:
        records.append((yield from _plain(session, row, depth)))
    return QueryPage(records, total if total >= 0 else None, None if done else path)


def _plain(session: Session, value: dict[str, Any], depth: int = 0) -> Flow[Any]:
    """A row without Salesforce's bookkeeping; a sub-query's rows become a list, their further pages included."""
    if depth > _DEEPEST:
        raise ProtocolError("a row of the answer to a query nests deeper than SOQL allows", remedy=OTHER_ANSWERS)
    if "records" in value and "totalSize" in value:
        return (yield from _sub_query(session, value, depth))
    plain = {name: each for name, each in value.items() if name != "attributes"}
    for name, each in plain.items():
        if isinstance(each, dict):
            plain[name] = yield from _plain(session, each, depth + 1)
    return plain


def _sub_query(session: Session, answer: Any, depth: int) -> Flow[list[Any]]:
    page = yield from decode_page(session, answer, depth + 1)
    rows = list(page.records)
    while page.next_path is not None and (page.total_size is None or len(rows) <= page.total_size):
        page = yield from next_page(session, page.next_path)
        rows += page.records
    if page.total_size not in (None, len(rows)):
        raise ProtocolError(
            f"a sub-query brought {counted(len(rows), 'row')} where Salesforce counted {page.total_size}"
        )
    return rows
