"""The route over Bulk API 2.0: a query job, and the pages of its result, some of them at once."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.extract.route import Fetch, HandOver, Origin, Result, refuse_repetition
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.formats.registry import WrittenPage
from airflow_provider_sfjwt.files.formats.result_page import PageLimits
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import bulk_query
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress
from airflow_provider_sfjwt.salesforce.wire.flow import Body

log = logging.getLogger(__name__)


class BulkRoute:
    """Creates a query job. Its rows are ready when it has ended: :class:`JobRows` fetches them.

    :param fetch: what to fetch.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def ask(self) -> JobRef | HandOver:
        """Create the job.

        :return: the job; or REST, where Bulk API 2.0 does not offer the object.
        :raises ConfigurationError: for a query that Bulk API 2.0 refuses.
        """
        fetch = self._fetch
        try:
            job = fetch.org.run(bulk_query.create_query_job, fetch.soql, include_deleted=fetch.include_deleted)
        except ApiError as refusal:
            if not fetch.may_hand_over or not bulk_query.is_not_offered(refusal):
                raise
            return HandOver("rest", f"Bulk API 2.0 does not offer {fetch.sobject}")
        log.info("Created Bulk API 2.0 query job %s (API %s)", job.ref.id, job.ref.api_version)
        return job.ref


class JobRows:
    """The rows of a job that has completed. Each page of its result becomes a part.

    :param fetch: what to fetch.
    :param job: in ``JobComplete``.
    :param resumable: whether finished pages are written down, so that a retry fetches only the others.
    """

    def __init__(self, fetch: Fetch, job: Job, *, resumable: bool) -> None:
        self._fetch = fetch
        self._org = fetch.org
        self._job = job
        self._ref = job.ref
        self._counted = job.records_processed
        self._resumable = resumable
        self._progress = DownloadProgress(f"Job {job.ref.id}", job.records_processed)
        self._finished: dict[int, PageManifest] = {}
        self._pages_by_content: dict[str, int] = {}

    @property
    def origin(self) -> Origin:
        """The job."""
        return Origin(
            transport="bulk",
            title=f"job {self._ref.id}",
            stem=self._ref.id,
            job_id=self._ref.id,
            api_version=self._ref.api_version,
        )

    def fetch(self) -> Result:
        """Fetch all pages that no earlier attempt finished.

        :raises ProtocolError: when the pages do not add up to a result.
        """
        if self._resumable:
            self._finished = self._fetch.folder.finished_pages(self._ref.id)
        locators = self._links() if self._fetch.parallel_pages > 1 else None
        pages = self._one_by_one() if locators is None else self._at_once(locators)
        parts: list[OutputFile] = []
        columns: tuple[Column, ...] | None = None
        declared = 0
        rounded: Counter[str] = Counter()
        with closing(pages):  # so that no download goes on after an error
            for page in pages:
                if columns is not None and page.columns != columns:
                    raise ProtocolError(f"the result pages of job {self._ref.id} differ in their columns")
                columns = page.columns
                self._must_hold_other_rows(page)
                parts.append(page.part)
                declared += page.declared
                rounded.update(page.rounded)
        log.info("%s", self._progress.line())
        return Result(tuple(parts), declared, self._counted, columns or self._fetch.columns, dict(rounded))

    def kept_in(self, columns: tuple[Column, ...]) -> JobRows:
        """The same rows, to be kept in columns of other types.

        :param columns: of the same names, in the same order.
        """
        return JobRows(replace(self._fetch, columns=columns), self._job, resumable=self._resumable)

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

    def _at_once(self, locators: Iterator[str | None]) -> Generator[PageManifest, None, None]:
        parallel = self._fetch.parallel_pages
        pending: deque[Future[PageManifest]] = deque()
        with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="result-page") as pool:
            try:
                for number, locator in enumerate(locators):
                    pending.append(pool.submit(self._page, number, locator))
                    # A slow page keeps the pages after it waiting, but not the connections idle.
                    if len(pending) > 2 * parallel:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _links(self) -> Iterator[str | None] | None:
        """The locators of all pages, or None where the org does not offer them."""
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
        fetch = self._fetch
        fetch.before_page()

        def write(body: Body, declared: int | None) -> WrittenPage:
            limits = PageLimits(declared, self._org.transport.settings.limits.record_bytes)
            try:
                return fetch.folder.write_page(
                    number, self._ref.id, fetch.file_format, self._progress.watch(body), fetch.columns, limits
                )
            except ProtocolError as error:
                place = f"result page {number} of job {self._ref.id}"
                raise error.with_message(f"{place}: {error}", retryable=error.retryable) from None

        page = self._org.run(bulk_query.result_page, self._ref, locator, write)
        written: WrittenPage = page.content
        manifest = PageManifest(
            page=number,
            locator=locator,
            next_locator=page.next_locator,
            declared=page.declared,
            part=written.part,
            columns=written.columns,
            file_format=fetch.file_format,
            rounded=written.rounded,
        )
        if self._resumable:
            fetch.folder.finish_page(manifest, self._ref.id)
        self._progress.page_done(written.records)
        return manifest

    def _still_holds(self, finished: PageManifest, locator: str | None) -> bool:
        """Whether an earlier attempt asked for the same page and wrote it as this one would."""
        known = {column.name: column for column in self._fetch.columns}
        return (
            finished.locator == locator
            and finished.file_format == self._fetch.file_format
            and all(known.get(column.name, Column(column.name)) == column for column in finished.columns)
        )

    def _must_hold_other_rows(self, page: PageManifest) -> None:
        """Counts cannot detect a page that is served twice; identical content can, because ids are unique."""
        if not page.part.records or all(column.name.lower() != "id" for column in page.columns):
            return
        twin = self._pages_by_content.setdefault(page.part.sha256, page.page)
        if twin != page.page:
            raise ProtocolError(
                f"the result pages {twin} and {page.page} of job {self._ref.id} hold the same rows. Something between "
                "here and Salesforce may mix up answers: check Proxy."
            )

    def _must_be_new(self, locator: str, seen: set[str]) -> None:
        which = locator or "of the first page"
        complaint = f"the result pages of job {self._ref.id} go in a circle: locator {which} came twice"
        refuse_repetition(locator, seen, complaint)
