"""Fetching a result's pages into parts, several at once, in the order of the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from airflow_provider_sfjwt.api import bulk_query
from airflow_provider_sfjwt.api.bulk_job import JobRef
from airflow_provider_sfjwt.api.bulk_query import ResultPage
from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.hooks.connected_org import ConnectedOrg
from airflow_provider_sfjwt.storage.columns import Column
from airflow_provider_sfjwt.storage.folder import DataSetFolder
from airflow_provider_sfjwt.storage.formats import FileFormat, Part, WrittenPage
from airflow_provider_sfjwt.wire.flow import Body


@dataclass(frozen=True)
class Result:
    """A whole result.

    :param parts: one for each page, in order.
    :param declared: the sum of what Salesforce declared for each page.
    :param columns: of the parts, in order.
    """

    parts: tuple[Part, ...]
    declared: int
    columns: tuple[Column, ...]


class ResultDownload:
    """Downloads results of one org into one folder.

    :param org: where from.
    :param folder: where to.
    :param file_format: how the parts are written.
    :param columns: what is known of the columns.
    """

    def __init__(
        self, org: ConnectedOrg, folder: DataSetFolder, file_format: FileFormat, columns: Sequence[Column]
    ) -> None:
        self._org = org
        self._folder = folder
        self._format = file_format
        self._columns = tuple(columns)

    def fetch(self, ref: JobRef, *, parallel_pages: int) -> Result:
        """Fetch all pages of a job.

        :param ref: a job in ``JobComplete``.
        :param parallel_pages: how many are fetched at once, where the org offers it.
        :raises ProtocolError: when the pages do not add up to a result.
        """
        locators = self._links(ref) if parallel_pages > 1 else None
        pages = self._one_by_one(ref) if locators is None else self._at_once(ref, locators, parallel_pages)
        parts: list[Part] = []
        columns: tuple[Column, ...] | None = None
        declared = 0
        with closing(pages):  # so that no download goes on behind an error
            for page in pages:
                written: WrittenPage = page.content
                if columns is not None and written.columns != columns:
                    raise ProtocolError(
                        f"the result pages of job {ref.id} differ in their columns; nothing was published"
                    )
                columns = written.columns
                parts.append(written.part)
                declared += page.declared
        return Result(tuple(parts), declared, columns or self._columns)

    def _one_by_one(self, ref: JobRef) -> Generator[ResultPage, None, None]:
        seen: set[str] = set()
        locator: str | None = None
        for number in range(10**9):
            page = self._page(ref, number, locator)
            yield page
            locator = page.next_locator
            if locator is None:
                return
            _must_be_new(ref, locator, seen)

    def _at_once(self, ref: JobRef, locators: Iterator[str | None], parallel: int) -> Generator[ResultPage, None, None]:
        pending: deque[Future[ResultPage]] = deque()
        with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="result-page") as pool:
            try:
                for number, locator in enumerate(locators):
                    pending.append(pool.submit(self._page, ref, number, locator))
                    if len(pending) > parallel:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _links(self, ref: JobRef) -> Iterator[str | None] | None:
        first = self._org.run(bulk_query.result_links, ref)
        if first is None:
            return None

        def follow() -> Iterator[str | None]:
            links, seen = first, set[str]()
            while True:
                for locator in links.locators:
                    _must_be_new(ref, locator or "", seen)
                    yield locator
                if links.next_path is None:
                    return
                _must_be_new(ref, links.next_path, seen)
                further = self._org.run(bulk_query.result_links, ref, links.next_path)
                if further is None:
                    return
                links = further

        return follow()

    def _page(self, ref: JobRef, number: int, locator: str | None) -> ResultPage:
        path = self._folder.part(number, ref.id, self._format)

        def write(body: Body) -> WrittenPage:
            return self._format.write_page(path, body, self._columns)

        return self._org.run(bulk_query.result_page, ref, locator, write)


def _must_be_new(ref: JobRef, locator: str, seen: set[str]) -> None:
    if locator in seen:
        raise ProtocolError(
            f"the result pages of job {ref.id} go in a circle: locator {locator or 'of the first page'} came twice. "
            "Nothing was published; clear the task to run it with a new job."
        )
    seen.add(locator)
