"""The route over REST: a query's rows, page by page into one part, as the table that Bulk API 2.0 would return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus

from airflow_provider_sfjwt.compat.csv_text import csv_text
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, counted
from airflow_provider_sfjwt.extract.columns import UNKNOWN_TYPE, check_flat
from airflow_provider_sfjwt.extract.route import Fetch, HandOver, Origin, Result, refuse_repetition
from airflow_provider_sfjwt.files.data_sets.data_set import made_up_stem
from airflow_provider_sfjwt.files.formats.cell_faults import id_of, not_text
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import query as query_api
from airflow_provider_sfjwt.salesforce.api.answers import TOO_LONG
from airflow_provider_sfjwt.salesforce.api.query import QueryPage
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress

#: Characters of a query in a URL, of which Salesforce takes 16,384 bytes.
#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
_LONGEST_QUERY = 16_000
#: The code of a query that ran for longer than 120 seconds, which a job's may.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm
_TOOK_TOO_LONG = "QUERY_TIMEOUT"
#: Types whose values may be moments, and how REST writes one.
_MOMENTS = frozenset({"datetime", UNKNOWN_TYPE})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+0000")


class RestRoute:
    """Needs no job: the rows of a query over REST are ready at once.

    :param fetch: what to fetch.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def ask(self) -> QueryRows | HandOver:
        """The rows of the query.

        :return: the rows; or Bulk API 2.0, for a query that is too long for a URL.
        :raises ConfigurationError: for a query whose rows are not a table, or one that is too long where no other
            route may take over.
        """
        fetch = self._fetch
        check_flat(fetch.soql, fetch.columns)
        if len(quote_plus(fetch.soql)) > _LONGEST_QUERY:
            return _too_long(fetch)
        return QueryRows(fetch)


class QueryRows:
    """The rows of a query over REST. One page is in memory at a time, and all become one part.

    :param fetch: what to fetch.
    :param stem: stands for the job in the name of the part; None for a new one.
    """

    def __init__(self, fetch: Fetch, *, stem: str | None = None) -> None:
        self._fetch = fetch
        self._org = fetch.org
        self._columns = fetch.columns
        self._progress = DownloadProgress("Query over REST", None)
        self._declared = 0
        self._total_size: int | None = None
        self._stem = stem or made_up_stem("rest")

    @property
    def origin(self) -> Origin:
        """The query, which has no job."""
        return Origin(
            transport="rest",
            title="the query",
            stem=self._stem,
            job_id=None,
            api_version=self._org.run(Session.api_version),
        )

    def fetch(self) -> Result | HandOver:
        """Fetch all rows.

        :return: the rows; or Bulk API 2.0, where the first page shows that they are many, or Salesforce refuses a query
            that a job could carry.
        :raises ProtocolError: when a row lacks a column, or holds a value that fits no cell of a table.
        """
        fetch = self._fetch
        attempts = self._org.session.policy.attempts
        for attempt in range(1, attempts + 1):
            try:
                first = self._first_page()
                if isinstance(first, HandOver):
                    return first
                body = _CsvBody(self._pages_of_csv(first))
                written = fetch.folder.write_page(
                    0, self._stem, fetch.file_format, self._progress.watch(body), self._columns
                )
            except ApiError as error:
                # A cursor that died takes its pages with it: only the whole query can be asked for again.
                if attempt == attempts or not any(item.code == "INVALID_QUERY_LOCATOR" for item in error.items):
                    raise
                continue
            break
        self._progress.all_pages_known()
        return Result(
            (written.part,),
            self._declared,
            self._total_size,
            written.columns,
            written.rounded,
            needs_count=self._total_size is not None,
        )

    def kept_in(self, columns: tuple[Column, ...]) -> QueryRows:
        """The same rows, to be kept in columns of other types. The query runs again.

        :param columns: of the same names, in the same order.
        """
        return QueryRows(replace(self._fetch, columns=columns), stem=self._stem)

    def _first_page(self) -> QueryPage | HandOver:
        """The first page, unless it shows that a job fetches the rows with fewer calls."""
        fetch = self._fetch
        fetch.before_page()
        try:
            page = self._org.run(
                query_api.first_page, fetch.soql, include_deleted=fetch.include_deleted, numbers_as_text=True
            )
        except ApiError as error:
            if error.status in TOO_LONG:
                return _too_long(fetch)
            if _may_become_a_job(fetch) and any(item.code == _TOOK_TOO_LONG for item in error.items):
                return HandOver("bulk", "The query takes longer than REST waits")
            raise
        if page.next_path is None or not _may_become_a_job(fetch):
            return page
        if page.total_size is None:
            return HandOver("bulk", "Salesforce does not say how many rows there are")
        if fetch.rest_limits.allow(page.total_size, len(self._columns)):
            return page
        return HandOver("bulk", f"There are {page.total_size:,} rows of {counted(len(self._columns), 'column')}")

    def _pages_of_csv(self, first: QueryPage) -> Iterator[bytes]:
        self._declared = 0
        has_ids = any(column.name.lower() == "id" for column in self._columns)
        contents: set[bytes] = set()
        yield _csv_of([[column.name for column in self._columns]])
        for page in self._pages(first):
            self._total_size = page.total_size
            self._declared += len(page.records)
            if page.total_size is not None and self._declared > page.total_size:
                raise ProtocolError(
                    f"the query brought at least {self._declared} rows where Salesforce counted {page.total_size}"
                )
            rows = self._csv_of_page(page)
            if rows and has_ids:
                # Counts cannot detect a page that is served twice; identical content can, because ids are unique.
                refuse_repetition(sha256(rows).digest(), contents, "two pages of the query hold the same rows")
            yield rows
            self._progress.page_done(len(page.records))

    def _pages(self, first: QueryPage) -> Iterator[QueryPage]:
        fetch, page = self._fetch, first
        yield page
        paths: set[str] = set()
        while page.next_path is not None:
            refuse_repetition(page.next_path, paths, "the pages of the query go in a circle")
            fetch.before_page()
            page = self._org.run(query_api.next_page, page.next_path, numbers_as_text=True)
            yield page

    def _csv_of_page(self, page: QueryPage) -> bytes:
        cells = [[_cell(row, column) for column in self._columns] for row in page.records]
        try:
            return _csv_of(cells)
        except UnicodeEncodeError:  # JSON can write half of a character, "\\ud83d"
            raise not_text([column.name for column in self._columns], cells) from None


class _CsvBody:
    """Pieces of CSV as the body of an answer."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(self._rest), len(buffer))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _may_become_a_job(fetch: Fetch) -> bool:
    return fetch.may_hand_over and "bulk" not in fetch.refused_by


def _too_long(fetch: Fetch) -> HandOver:
    """REST takes a query in the URL, which has a longest length.

    :raises ConfigurationError: where no other route may take over.
    """
    if _may_become_a_job(fetch):
        return HandOver("bulk", "The query is too long for REST")
    others = "" if "bulk" in fetch.refused_by else ", or take transport='bulk', which has no such limit"
    raise ConfigurationError(
        {
            "transport": "the query is too long for REST, which takes it in the URL. Name fewer fields, give a "
            f"condition fewer values (several extracts with some of them each){others}"
        },
        subject="the task",
    )


def _cell(row: Mapping[str, Any], column: Column) -> str:
    value = _value_at(row, column.name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise ProtocolError(
            f"column {column.name} holds a {type(value).__name__}, which a cell of a table cannot hold (record "
            f"{id_of(row)})"
        )
    # REST and Bulk API write the same moment in two ways. Text of people stays as it is.
    if column.type in _MOMENTS and _MOMENT.fullmatch(value):
        return value.removesuffix("+0000") + "Z"
    return value


def _csv_of(rows: list[list[str]]) -> bytes:
    return csv_text(rows).encode("utf-8")


def _value_at(row: Mapping[str, Any], name: str) -> Any:
    """The value at the end of a column's path. A parent that is not there has no fields."""
    here: Any = row
    for step in name.split("."):
        if here is None:
            return None
        key = _key(here, step) if isinstance(here, Mapping) else None
        if key is None:
            raise ProtocolError(f"a row of the query has no {name} (record {id_of(row)})")
        here = here[key]
    return here


def _key(row: Mapping[str, Any], name: str) -> str | None:
    """How Salesforce spells a field that the query may spell in any case."""
    return name if name in row else next((key for key in row if key.lower() == name.lower()), None)
