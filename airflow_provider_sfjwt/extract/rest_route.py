"""Fetching a query's rows over REST into one part, as the table that Bulk API 2.0 would bring."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.extract.bulk_route import Result
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.formats.registry import FileFormat
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import query as query_api
from airflow_provider_sfjwt.salesforce.api.query import QueryPage
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress


class RestDownload:
    """Downloads the rows of one query into one folder, a page in memory at a time.

    :param org: where from.
    :param soql: the query, of plain fields.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param folder: where to.
    :param file_format: how the part is written.
    :param columns: what the query selects, in order.
    :param progress: is told of what arrives.
    :param before_page: is called before a page is asked for, and may raise to end the download.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        soql: str,
        include_deleted: bool,
        folder: DataSetFolder,
        file_format: FileFormat,
        columns: Sequence[Column],
        *,
        progress: DownloadProgress,
        before_page: Callable[[], None],
    ) -> None:
        self._org = org
        self._soql = soql
        self._include_deleted = include_deleted
        self._folder = folder
        self._format = file_format
        self._columns = tuple(columns)
        self._progress = progress
        self._before_page = before_page
        self._declared = self._total_size = 0

    def fetch(self, name: str) -> tuple[Result, int]:
        """Fetch all rows.

        :param name: stands for a job's id in the part's name.
        :return: the result, and how many rows Salesforce counted (``totalSize``).
        :raises ProtocolError: when a row lacks a column, or holds what no table can.
        """
        attempts = self._org.session.policy.attempts
        for attempt in range(1, attempts + 1):
            body = _CsvBody(self._pages_of_csv())
            try:
                written = self._format.write_page(
                    self._folder.part(0, name, self._format), self._progress.watch(body), self._columns
                )
            except ApiError as error:
                # A cursor that died takes its pages with it: only the whole query can be asked for again.
                if attempt == attempts or not any(item.code == "INVALID_QUERY_LOCATOR" for item in error.items):
                    raise
                continue
            break
        self._progress.all_pages_known()
        return Result((written.part,), self._declared, written.columns), self._total_size

    def _pages_of_csv(self) -> Iterator[bytes]:
        self._declared = 0
        has_ids = any(column.name.lower() == "id" for column in self._columns)
        contents: set[bytes] = set()
        yield _csv_of([[column.name for column in self._columns]])
        for page in self._pages():
            self._total_size = page.total_size
            self._declared += len(page.records)
            rows = _csv_of([[self._cell(row, column) for column in self._columns] for row in page.records])
            if rows and has_ids:
                # A page that came in another's place has as many rows, so no count can tell. Ids do not come twice.
                _must_be_new(sha256(rows).digest(), contents, "two pages of the query hold the same rows")
            yield rows
            self._progress.page_done(len(page.records))

    def _pages(self) -> Iterator[QueryPage]:
        self._before_page()
        page = self._org.run(
            query_api.first_page, self._soql, include_deleted=self._include_deleted, numbers_as_text=True
        )
        yield page
        paths: set[bytes] = set()
        while page.next_path is not None:
            _must_be_new(page.next_path.encode(), paths, "the pages of the query go in a circle")
            self._before_page()
            page = self._org.run(query_api.next_page, page.next_path, numbers_as_text=True)
            yield page

    def _cell(self, row: Mapping[str, Any], column: Column) -> str:
        value = _value_at(row, column.name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            raise ProtocolError(f"{column.name} holds {type(value).__name__}, which is no value of a table's cell")
        # REST and Bulk API write the same moment in two ways.
        return value.removesuffix("+0000") + "Z" if column.type == "datetime" and value.endswith("+0000") else value


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


def _must_be_new(this: bytes, seen: set[bytes], otherwise: str) -> None:
    if this in seen:
        raise ProtocolError(f"{otherwise}. Nothing was published; clear the task to run it anew.")
    seen.add(this)


def _csv_of(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def _value_at(row: Mapping[str, Any], name: str) -> Any:
    """The value at the end of a column's path. A parent that is not there has no fields."""
    here: Any = row
    for step in name.split("."):
        if here is None:
            return None
        key = _key(here, step) if isinstance(here, Mapping) else None
        if key is None:
            raise ProtocolError(f"a row of the query has no {name}")
        here = here[key]
    return here


def _key(row: Mapping[str, Any], name: str) -> str | None:
    """How Salesforce spells a field that the query may spell in any case."""
    return name if name in row else next((key for key in row if key.lower() == name.lower()), None)
