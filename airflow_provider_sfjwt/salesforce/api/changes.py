"""What changed in some objects since a moment, five objects in one call.

A row counts by its id and its ``SystemModstamp``. Salesforce commits a row later than it stamps it, so that a row may
come to light with a stamp that lies back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.salesforce.api.composite import MOST_QUERIES, query_several
from airflow_provider_sfjwt.salesforce.api.query import QueryPage, decode_page, next_page
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.api.soql import select, within
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

CURSOR = "SystemModstamp"


@dataclass(frozen=True)
class Window:
    """Rows of an object to look at.

    :param sobject: the object's API name.
    :param where: a condition, or None.
    :param include_deleted: whether rows in the recycle bin are looked at too.
    :param since: of ``SystemModstamp``; with a time zone.
    :param until: of ``SystemModstamp``, excluded.
    :param most: rows that are told apart.
    """

    sobject: str
    where: str | None
    include_deleted: bool
    since: datetime
    until: datetime
    most: int

    @property
    def soql(self) -> str:
        """The query, which brings one row more than are told apart."""
        condition = within(CURSOR, self.since, self.until)
        if self.where:
            condition = f"{condition} AND ({self.where})"
        return f"{select(self.sobject, ['Id', CURSOR], condition)} ORDER BY {CURSOR} LIMIT {self.most + 1}"


@dataclass(frozen=True)
class Rows:
    """The rows of a window.

    :param pairs: of id and ``SystemModstamp``, as Salesforce writes them; None where they are more than are told apart.
    """

    pairs: tuple[tuple[str, str], ...] | None


def rows_of(session: Session, windows: Sequence[Window]) -> Flow[list[Rows | ApiError]]:
    """Look at the rows of some objects.

    :param session: the conversation.
    :param windows: at most five.
    :return: for each its rows, or the error by which Salesforce refused its query.
    :raises ValueError: for more than five.
    """
    if len(windows) > MOST_QUERIES:
        raise ValueError(f"one call takes {MOST_QUERIES} queries")
    answers = yield from query_several(session, [(each.soql, each.include_deleted) for each in windows])
    found: list[Rows | ApiError] = []
    for window, answer in zip(windows, answers, strict=True):
        found.append(answer if isinstance(answer, ApiError) else (yield from _rows(session, window, answer)))
    return found


def _rows(session: Session, window: Window, answer: object) -> Flow[Rows]:
    page: QueryPage = yield from decode_page(session, answer)
    if page.total_size is not None and page.total_size > window.most:
        return Rows(None)
    records = list(page.records)
    while page.next_path is not None and len(records) <= window.most:
        page = yield from next_page(session, page.next_path)
        records += page.records
    if len(records) > window.most:
        return Rows(None)
    try:
        return Rows(tuple((str(row["Id"]), str(row[CURSOR])) for row in records))
    except KeyError as missing:
        raise ProtocolError(f"a row of {window.sobject} has no {missing}") from None
