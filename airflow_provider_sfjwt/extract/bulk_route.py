"""The route over Bulk API 2.0: a query job, and the pages of its result, some of them at once."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import closing
from dataclasses import replace

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.extract.result_pages import ResultPages
from airflow_provider_sfjwt.extract.route import Fetch, HandOver, Origin, Result
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import bulk_query
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef

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
    :param shared: whether other tasks have fetched pages, by the list of all pages.
    """

    def __init__(self, fetch: Fetch, job: Job, *, resumable: bool, shared: bool = False) -> None:
        self._fetch = fetch
        self._job = job
        self._ref = job.ref
        self._resumable = resumable
        self._shared = shared
        self._pages = ResultPages(fetch, job.ref, job.records_processed, resumable=resumable)
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

    @property
    def soql(self) -> str:
        """The query of the job."""
        return self._fetch.soql

    def fetch(self) -> Result:
        """Fetch all pages that no earlier attempt, and no other task, has finished.

        :raises ProtocolError: when the pages do not add up to a result.
        """
        pages = self._pages
        pages.recall()
        listed = pages.all() if self._shared or self._fetch.parallel_pages > 1 else None
        found = pages.one_by_one() if listed is None else pages.at_once(listed)
        parts: list[OutputFile] = []
        columns: tuple[Column, ...] | None = None
        declared = api_calls = 0
        rounded: Counter[str] = Counter()
        with closing(found):  # so that no download goes on after an error
            for page in found:
                if columns is not None and page.columns != columns:
                    raise ProtocolError(f"the result pages of job {self._ref.id} differ in their columns")
                columns = page.columns
                self._must_hold_other_rows(page)
                parts.append(page.part)
                declared += page.declared
                api_calls += page.api_calls
                rounded.update(page.rounded)
        log.info("%s", pages.progress.line())
        counted = self._job.records_processed
        columns = columns or self._fetch.columns
        return Result(tuple(parts), declared, counted, columns, dict(rounded), api_calls=api_calls)

    def kept_in(self, columns: tuple[Column, ...]) -> JobRows:
        """The same rows, to be kept in columns of other types.

        :param columns: of the same names, in the same order.
        """
        fetch = replace(self._fetch, columns=columns)
        return JobRows(fetch, self._job, resumable=self._resumable, shared=self._shared)

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
