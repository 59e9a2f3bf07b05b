"""The pages of a Bulk API 2.0 job's result, each of which becomes a part, some of them at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.extract.route import Fetch, refuse_repetition
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.formats.registry import WrittenPage
from airflow_provider_sfjwt.files.formats.result_page import PageLimits
from airflow_provider_sfjwt.files.values.columns import Column, TooLargeNumbersError
from airflow_provider_sfjwt.salesforce.api import bulk_query
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.session import Usage
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress
from airflow_provider_sfjwt.salesforce.wire.flow import Body

#: A page's place in the result, from 0, and its locator; None for the first page where Salesforce names none.
Page = tuple[int, str | None]


class UnlistedCalls:
    """API calls of a task that no manifest lists yet.

    :param usage: that counts them.
    """

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._listed = 0
        self._lock = threading.Lock()

    @property
    def number(self) -> int:
        """How many there are."""
        return self._usage.calls - self._listed

    def listed(self) -> int:
        """How many there are: from now on a manifest lists them."""
        with self._lock:
            number = self.number
            self._listed += number
            return number


class ResultPages:
    """The pages of a job that has completed.

    :param fetch: what to fetch, and where to.
    :param ref: the job.
    :param expected: how many rows are expected, for the log; None where that is unknown.
    :param resumable: whether finished pages are written down, so that another attempt or task need not fetch them.
    :param unlisted: what the manifests list as the cost of their pages; None where a task counts its calls itself.
    """

    def __init__(
        self,
        fetch: Fetch,
        ref: JobRef,
        expected: int | None,
        *,
        resumable: bool,
        unlisted: UnlistedCalls | None = None,
    ) -> None:
        self._fetch = fetch
        self._org = fetch.org
        self._ref = ref
        self._resumable = resumable
        self._unlisted = unlisted
        self._finished: dict[int, PageManifest] = {}
        self.progress = DownloadProgress(f"Job {ref.id}", expected)

    def recall(self, pages: frozenset[int] | None = None) -> None:
        """Look for the pages that are finished.

        :param pages: the places that are asked for; None for all.
        :raises TooLargeNumbersError: where one of them has columns that had to be widened, so that all pages must.
        """
        if not self._resumable:
            return
        self._finished = self._fetch.folder.finished_pages(self._ref.id, pages)
        asked = {column.name: column for column in self._fetch.columns}
        widened = {
            column.name
            for page in self._finished.values()
            if page.file_format == self._fetch.file_format
            for column in page.columns
            if column.is_widened and column.name in asked and asked[column.name].widened() == column
        }
        if missing := [name for name in asked if name in widened and not asked[name].is_widened]:
            raise TooLargeNumbersError(missing)

    def one_by_one(self) -> Generator[PageManifest, None, None]:
        """Fetch all pages, each of which names the next one."""
        seen: set[str] = set()
        locator: str | None = None
        for number in range(10**9):
            self.progress.page_known()
            page = self.page((number, locator))
            yield page
            locator = page.next_locator
            if locator is None:
                self.progress.all_pages_known()
                return
            self._must_be_new(locator, seen)

    def at_once(self, pages: Iterable[Page]) -> Generator[PageManifest, None, None]:
        """Fetch pages, some at once.

        :param pages: in the order in which they come back.
        """
        parallel = self._fetch.parallel_pages
        pending: deque[Future[PageManifest]] = deque()
        with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="result-page") as pool:
            try:
                for page in pages:
                    pending.append(pool.submit(self.page, page))
                    # A slow page keeps the pages after it waiting, but not the connections idle.
                    if len(pending) > 2 * parallel:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def all(self) -> Iterator[Page] | None:
        """All pages, or None where the org does not list them: each then names the next one."""
        first = self._org.run(bulk_query.result_links, self._ref)
        if first is None:
            return None

        def follow() -> Iterator[str | None]:
            links, seen = first, set[str]()
            while True:
                for locator in links.locators:
                    self._must_be_new(locator or "", seen)
                    self.progress.page_known()
                    yield locator
                if links.next_path is None:
                    self.progress.all_pages_known()
                    return
                self._must_be_new(links.next_path, seen)
                further = self._org.run(bulk_query.result_links, self._ref, links.next_path)
                if further is None:
                    return
                links = further

        return enumerate(follow())

    def page(self, page: Page) -> PageManifest:
        """Fetch a page, unless it is finished.

        :param page: which one.
        """
        number, locator = page
        finished = self._finished.get(number)
        if finished is not None and self._still_holds(finished, locator):
            self.progress.page_kept(finished.part.records)
            return finished
        fetch = self._fetch
        fetch.before_page()

        def write(body: Body, declared: int | None) -> WrittenPage:
            limits = PageLimits(declared, self._org.transport.settings.limits.record_bytes)
            try:
                return fetch.folder.write_page(
                    number, self._ref.id, fetch.file_format, self.progress.watch(body), fetch.columns, limits
                )
            except ProtocolError as error:
                place = f"result page {number} of job {self._ref.id}"
                raise error.with_message(f"{place}: {error}", retryable=error.retryable) from None

        fetched = self._org.run(bulk_query.result_page, self._ref, locator, write)
        written: WrittenPage = fetched.content
        manifest = PageManifest(
            page=number,
            locator=locator,
            next_locator=fetched.next_locator,
            declared=fetched.declared,
            part=written.part,
            columns=written.columns,
            file_format=fetch.file_format,
            rounded=written.rounded,
            api_calls=self._unlisted.listed() if self._unlisted is not None else 0,
        )
        if self._resumable:
            fetch.folder.finish_page(manifest, self._ref.id)
        self.progress.page_done(written.records)
        return manifest

    def _still_holds(self, finished: PageManifest, locator: str | None) -> bool:
        """Whether an earlier attempt asked for the same page and wrote it as this one would."""
        known = {column.name: column for column in self._fetch.columns}
        return (
            finished.locator == locator
            and finished.file_format == self._fetch.file_format
            and all(known.get(column.name, Column(column.name)) == column for column in finished.columns)
        )

    def _must_be_new(self, locator: str, seen: set[str]) -> None:
        which = locator or "of the first page"
        complaint = f"the result pages of job {self._ref.id} go in a circle: locator {which} came twice"
        refuse_repetition(locator, seen, complaint)
