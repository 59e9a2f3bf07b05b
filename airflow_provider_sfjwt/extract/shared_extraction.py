"""An extract whose pages several tasks fetch: one lists them, each fetches its share, and one publishes them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.extract.bulk_route import JobRows
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.joined_rows import JoinedRows
from airflow_provider_sfjwt.extract.result_pages import Page, ResultPages, UnlistedCalls
from airflow_provider_sfjwt.extract.route import HandOver
from airflow_provider_sfjwt.files.data_sets.data_set import OtherAttemptError
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.values.columns import TooLargeNumbersError
from airflow_provider_sfjwt.salesforce.api import bulk_job
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef


class SharedExtraction(Extraction):
    """The steps that such tasks take. What one leaves for another is in the folder of the data set."""

    def share(self, ref: JobRef, content: Mapping[str, Any]) -> None:
        """Write down what the other tasks must know of a job.

        :param ref: the job.
        :param content: as JSON takes it.
        """
        with storage_errors(self._folder.path):
            self._folder.share_job(ref.id, content)

    def shared(self, job_id: str) -> Any:
        """What :meth:`share` wrote.

        :param job_id: the job.
        :return: decoded; None where it is not there.
        """
        with storage_errors(self._folder.path):
            return self._folder.shared_job(job_id)

    @property
    def is_local(self) -> bool:
        """Whether the folder is on a file system of this machine."""
        return self._folder.is_local

    def pages(self, ref: JobRef) -> list[Page]:
        """The pages of a job that has completed.

        :param ref: the job.
        :raises ConfigurationError: where the org does not list them.
        """
        pages = ResultPages(self._fetch(), ref, None, resumable=True).all()
        if pages is None:
            raise ConfigurationError(
                {
                    "api_version": f"the org does not list the result pages of job {ref.id} in version "
                    f"{ref.api_version}, so tasks cannot share them: use 58.0 or newer, or SalesforceExtractOperator"
                },
                subject="the task",
            )
        return list(pages)

    def fetch_share(self, ref: JobRef, pages: Sequence[Page], unlisted: UnlistedCalls) -> list[PageManifest]:
        """Fetch some pages of a job, except those that are finished. Nothing is published.

        :param ref: the job.
        :param pages: which ones.
        :param unlisted: the calls that their manifests list as their cost.
        :raises OtherAttemptError: where the job's rows were published meanwhile. What was fetched here is removed.
        """
        places = frozenset(number for number, _ in pages)
        while True:
            share = ResultPages(self._fetch(), ref, None, resumable=True, unlisted=unlisted)
            try:
                with self._unless_published(ref), storage_errors(self._folder.path):
                    share.recall(places)
                    with closing(share.at_once(pages)) as fetched:
                        return list(fetched)
            except TooLargeNumbersError as found:
                self._widened(found.columns)

    @contextmanager
    def _unless_published(self, ref: JobRef) -> Iterator[None]:
        """End an attempt that goes on after another one did its work, and the data set was published."""
        try:
            yield
        except SalesforceError:
            self._must_be_unpublished(ref)
            raise
        self._must_be_unpublished(ref)

    def _must_be_unpublished(self, ref: JobRef) -> None:
        if self.shared(ref.id) is None:
            self._folder.discard_own()
            raise OtherAttemptError(
                f"the rows of job {ref.id} were published in {self._folder.path} while this attempt was at work. They "
                "stand, and what it fetched was removed"
            )

    def _shared_jobs(self, receipt: Receipt) -> tuple[str, ...]:
        return receipt.job_ids

    def published(self, job_ids: Sequence[str]) -> Receipt | None:
        """The receipt of some jobs, if an earlier attempt published it and then died.

        :param job_ids: the jobs, in the order of their rows.
        """
        receipt = self._published_before(list(job_ids))
        return receipt and self._concluded(receipt)

    def finish_shared(self, jobs: Sequence[tuple[Job, str]]) -> Receipt:
        """Prove that the pages of all jobs are there and whole, and publish them. A page that is missing is fetched.

        :param jobs: ended jobs, each with its query.
        :return: the receipt.
        :raises SalesforceError: and nothing is published.
        """
        for job, _ in jobs:
            bulk_job.completed(job)
        if (receipt := self.published([job.ref.id for job, _ in jobs])) is not None:
            return receipt
        fetch = self._fetch()
        rows = [JobRows(replace(fetch, soql=soql), job, resumable=True, shared=True) for job, soql in jobs]
        published = self._published(JoinedRows(rows, verify=self._spec.verify_job_count), resumable=True)
        if isinstance(published, HandOver):
            raise TypeError("the rows of a job cannot be handed over")
        return published
