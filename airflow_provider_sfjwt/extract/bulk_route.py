"""Fetching a result's pages into parts, several at once, in the order of the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.formats.registry import FileFormat, WrittenPage
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import bulk_query
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress
from airflow_provider_sfjwt.salesforce.wire.flow import Body


@dataclass(frozen=True)
class Result:
    """A whole result.

    :param parts: in the order of the result.
    :param declared: the sum of what Salesforce declared for each page.
    :param columns: of the parts, in order.
    """

    parts: tuple[OutputFile, ...]
    declared: int
    columns: tuple[Column, ...]


class ResultDownload:
    """Downloads the result of one job into one folder, each page into a part.

    :param org: where from.
    :param ref: a job in ``JobComplete``.
    :param folder: where to.
    :param file_format: how the parts are written.
    :param columns: what is known of the columns.
    :param progress: is told of what arrives.
    :param before_page: is called before a page is asked for, and may raise to end the download.
    :param resumable: whether finished pages are written down, for a retry to go on from.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        ref: JobRef,
        folder: DataSetFolder,
        file_format: FileFormat,
        columns: Sequence[Column],
        *,
        progress: DownloadProgress,
        before_page: Callable[[], None],
        resumable: bool,
    ) -> None:
        self._org = org
        self._ref = ref
        self._folder = folder
        self._format = file_format
        self._columns = tuple(columns)
        self._progress = progress
        self._before_page = before_page
        self._resumable = resumable
        self._finished: dict[int, PageManifest] = {}
        self._pages_by_content: dict[str, int] = {}

    def fetch(self, *, parallel_pages: int) -> Result:
        """Fetch all pages that no earlier try finished.

        :param parallel_pages: how many are fetched at once, where the org offers it.
        :raises ProtocolError: when the pages do not add up to a result.
        """
        if self._resumable:
            self._finished = self._folder.finished_pages(self._ref.id)
        locators = self._links() if parallel_pages > 1 else None
        pages = self._one_by_one() if locators is None else self._at_once(locators, parallel_pages)
        parts: list[OutputFile] = []
        columns: tuple[Column, ...] | None = None
        declared = 0
        with closing(pages):  # so that no download goes on behind an error
            for page in pages:
                if columns is not None and page.columns != columns:
                    raise ProtocolError(
                        f"the result pages of job {self._ref.id} differ in their columns; nothing was published"
                    )
                columns = page.columns
                self._must_be_another(page)
                parts.append(page.part)
                declared += page.declared
        return Result(tuple(parts), declared, columns or self._columns)

    def _one_by_one(self) -> Generator[PageManifest, None, None]:
        seen: set[str] = set()
        locator: str | None = None
        for number in range(10**9):
            self._progress.page_known()
            page = self._page(number, locator)
            yield page
            locator = page.next_locator
            if locator is None:
                self._progress.all_pages_known()
                return
            self._must_be_new(locator, seen)

    def _at_once(self, locators: Iterator[str | None], parallel: int) -> Generator[PageManifest, None, None]:
        pending: deque[Future[PageManifest]] = deque()
        with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="result-page") as pool:
            try:
                for number, locator in enumerate(locators):
                    pending.append(pool.submit(self._page, number, locator))
                    # A slow page keeps the ones behind it waiting, but not the connections idle.
                    if len(pending) > 2 * parallel:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _links(self) -> Iterator[str | None] | None:
        first = self._org.run(bulk_query.result_links, self._ref)
        if first is None:
            return None

        def follow() -> Iterator[str | None]:
            links, seen = first, set[str]()
            while True:
                for locator in links.locators:
                    self._must_be_new(locator or "", seen)
                    self._progress.page_known()
                    yield locator
                if links.next_path is None:
                    self._progress.all_pages_known()
                    return
                self._must_be_new(links.next_path, seen)
                further = self._org.run(bulk_query.result_links, self._ref, links.next_path)
                if further is None:
                    return
                links = further

        return follow()

    def _page(self, number: int, locator: str | None) -> PageManifest:
        finished = self._finished.get(number)
        if finished is not None and self._still_holds(finished, locator):
            self._progress.page_kept(finished.part.records)
            return finished
        self._before_page()
        path = self._folder.part(number, self._ref.id, self._format)

        def write(body: Body) -> WrittenPage:
            return self._format.write_page(path, self._progress.watch(body), self._columns)

        page = self._org.run(bulk_query.result_page, self._ref, locator, write)
        written: WrittenPage = page.content
        manifest = PageManifest(
            page=number,
            locator=locator,
            next_locator=page.next_locator,
            declared=page.declared,
            part=written.part,
            columns=written.columns,
            file_format=self._format,
        )
        if self._resumable:
            self._folder.finish_page(manifest, self._ref.id)
        self._progress.page_done(written.records)
        return manifest

    def _still_holds(self, finished: PageManifest, locator: str | None) -> bool:
        """Whether an earlier try asked for the same page and wrote it as this one would."""
        known = {column.name: column for column in self._columns}
        return (
            finished.locator == locator
            and finished.file_format == self._format
            and all(known.get(column.name, Column(column.name)) == column for column in finished.columns)
        )

    def _must_be_another(self, page: PageManifest) -> None:
        """A page that came in another's place has that page's rows, so no count can tell. Ids do not come twice."""
        if not page.part.records or all(column.name.lower() != "id" for column in page.columns):
            return
        twin = self._pages_by_content.setdefault(page.part.sha256, page.page)
        if twin != page.page:
            raise ProtocolError(
                f"the result pages {twin} and {page.page} of job {self._ref.id} hold the same rows. Nothing was "
                "published; clear the task to run it with a new job. Something between here and Salesforce may mix up "
                "answers: check Proxy."
            )

    def _must_be_new(self, locator: str, seen: set[str]) -> None:
        if locator in seen:
            raise ProtocolError(
                f"the result pages of job {self._ref.id} go in a circle: locator {locator or 'of the first page'} came "
                "twice. Nothing was published; clear the task to run it with a new job."
            )
        seen.add(locator)
