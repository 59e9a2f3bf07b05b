"""An extract from spec to receipt: plan, ask, wait, fetch, prove, publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.compat import cached_property
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, SalesforceError, counted
from airflow_provider_sfjwt.extract.bulk_route import JobRows
from airflow_provider_sfjwt.extract.columns import columns_of_query, columns_of_sobject, repeated_names
from airflow_provider_sfjwt.extract.metrics import count_published
from airflow_provider_sfjwt.extract.plan import Plan
from airflow_provider_sfjwt.extract.route import Fetch, HandOver, Origin, RestLimits, Result, Route, Rows
from airflow_provider_sfjwt.extract.routes import AUTO, ROUTES, first_route
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder, OtherAttemptError
from airflow_provider_sfjwt.files.data_sets.receipt import Counts, Receipt, column_entry, drift_between, schema_hash
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures
from airflow_provider_sfjwt.files.values.columns import Column, TooLargeNumbersError
from airflow_provider_sfjwt.salesforce.api import bulk_job, soql
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget, SparingOrg
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject
from airflow_provider_sfjwt.salesforce.org.progress import JobProgress, fold

log = logging.getLogger(__name__)

#: Characters of a query, https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_soslsoql.htm
_LONGEST_QUERY = 100_000


class Extraction:
    """One extract. Its steps may run in different processes: only the job has to be carried over.

    :param org: where from.
    :param spec: what, and where to.
    :param routes: the ways to fetch rows, by their names.
    :param plan: what the spec comes to, where that is known; None to ask the org.
    :param described: the object, where it is known; None to ask the org.
    :param rest_limits: how much REST fetches where a job could; None for the default.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        spec: ExtractSpec,
        routes: Mapping[str, type[Route]] = ROUTES,
        *,
        plan: Plan | None = None,
        described: DescribedObject | None = None,
        rest_limits: RestLimits | None = None,
    ) -> None:
        self._org = org
        self._spec = spec
        self._routes = routes
        self._started = time.monotonic()
        self.budget = ApiBudget(org, spec.min_api_calls_left)
        self._plan = plan
        self._described = described
        self._rest_limits = rest_limits or RestLimits()
        #: Whether few rows are expected, so that the first page over REST is often the only one.
        small = any(each is not None for each in (spec.moments, spec.link, rest_limits))
        self._rather_small = small and not spec.rather_large

    def run(self) -> Receipt:
        """Take all steps on this thread.

        :return: the receipt.
        :raises SalesforceError: and nothing is published.
        """
        self._spec.check()
        self.budget.check()
        self.prepare()
        self.budget.check()
        begun = self.begin()
        return self.finish(self.wait(begun)) if isinstance(begun, JobRef) else begun

    def began_by(self, moment: float) -> None:
        """Count the seconds of the extract from a moment in another process, where that came earlier.

        :param moment: seconds since the epoch.
        """
        self._started = min(self._started, time.monotonic() - (time.time() - moment))

    def prepare(self) -> None:
        """See that everything is in order before Salesforce is given work.

        :raises ConfigurationError: for a spec that cannot be carried out, naming what to change.
        """
        self._spec.check()
        self._folder.prepare(self._spec.format, self._spec.written_by)
        fold(log, f"Query of {self.plan.sobject or 'an unknown object'}", [self.plan.soql])

    @property
    def plan(self) -> Plan:
        """What the spec comes to in this org, which is asked once."""
        if self._plan is None:
            self._plan = self._planned()
        return self._plan

    @property
    def known_plan(self) -> Plan | None:
        """The same, where it is known already."""
        return self._plan

    @property
    def window(self) -> Window | None:
        """The rows that are asked for; None for all."""
        return self._spec.moments

    @property
    def part_times(self) -> Mapping[str, tuple[float, float]]:
        """When each part was begun and finished, in seconds of the monotonic clock, by its name."""
        return self._folder.part_times

    def begin(self) -> JobRef | Receipt:
        """Ask Salesforce for the rows, by the first route that offers them.

        :return: the job that must end before its rows can be fetched (:meth:`finish`); or the receipt, where the rows
            could be fetched at once.
        :raises ConfigurationError: for a query that the route cannot carry.
        :raises SalesforceError: and nothing is published. Neither is anything asked for the rows of a window where the
            clocks of the org and of this machine contradict each other.
        """
        if self._spec.moments is not None:
            self._org.run(agreed_time)
        if (length := len(self.plan.soql)) > _LONGEST_QUERY:
            fault = (
                f"the query has {length:,} characters, and Salesforce takes {_LONGEST_QUERY:,}. Name fewer fields, or "
                "give a condition fewer values (several extracts with some of them each)"
            )
            raise ConfigurationError({self._argument: fault}, subject="the task")
        route = first_route(self._spec.transport, rather_small=self._rather_small)
        refused_by: tuple[str, ...] = ()
        while True:
            with self._argument_named():
                asked = self._routes[route](self._fetch(refused_by)).ask()
                begun = asked if isinstance(asked, JobRef | HandOver) else self._published(asked, resumable=False)
            if not isinstance(begun, HandOver):
                return begun
            log.info("%s; extracting it over %s", begun.reason, begun.route)
            refused_by += (route,)
            route = begun.route

    @contextmanager
    def _argument_named(self) -> Iterator[None]:
        """Name the argument that holds what Salesforce refuses in the query: most fields were looked up before."""
        try:
            yield
        except ApiError as error:
            if error.status == 400:
                error.argument = self._argument
            raise

    @property
    def _argument(self) -> str:
        """The argument that makes the query what it is, beside the object."""
        spec = self._spec
        if spec.soql or spec.where:
            return "soql" if spec.soql else "where"
        return "ranges" if spec.created else "fields" if spec.fields else "sobject"

    def wait(self, ref: JobRef) -> Job:
        """Wait on this thread until the job has ended.

        :param ref: the job.
        :raises BulkJobTimeoutError: when the spec's ``timeout`` is over, counted from now.
        """
        deadline = time.monotonic() + self._spec.timeout
        self._spec.format.load()  # while Salesforce is at work
        return self._org.run(
            bulk_job.wait_for_job,
            ref,
            poll_interval=self._spec.poll_interval,
            remaining=lambda: deadline - time.monotonic(),
            on_progress=JobProgress().tell,
        )

    def finish(self, job: Job, *, resumable: bool = False) -> Receipt:
        """Fetch the result of a job that ended, prove that it is whole, and publish it.

        :param job: an ended job.
        :param resumable: whether a retry will come back to this job: finished pages then stay for it.
        :return: the receipt.
        :raises SalesforceError: and nothing is published.
        """
        bulk_job.completed(job)
        if (receipt := self._published_before([job.ref.id])) is not None:
            return self._concluded(receipt)
        published = self._published(JobRows(self._fetch(), job, resumable=resumable), resumable=resumable)
        if isinstance(published, HandOver):
            raise ProtocolError(f"job {job.ref.id} has ended, so no other route can take over from it")
        return published

    # -- the steps in detail -----------------------------------------------------------------------------------------

    def _planned(self) -> Plan:
        spec, window, org = self._spec, self._spec.moments, SparingOrg(self._org, self.budget)
        if spec.soql:
            columns = columns_of_query(org, spec.soql)
            return Plan(spec.soql, soql.sobject_of(spec.soql), self._kept(columns))
        described = self._described or DescribedObject(org, spec.sobject or "")
        columns = columns_of_sobject(described, spec.fields, spec.cursor_field if window else None)
        text = soql.select(described.name, [column.name for column in columns], spec.condition)
        return Plan(text, described.name, self._kept(columns))

    def _kept(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        return tuple(column.kept_as(self._spec.numbers) for column in columns)

    @cached_property
    def _folder(self) -> DataSetFolder:
        return DataSetFolder(self._spec.output_path)

    def _fetch(self, refused_by: tuple[str, ...] = ()) -> Fetch:
        return Fetch(
            org=self._org,
            soql=self.plan.soql,
            sobject=self.plan.sobject,
            columns=self.plan.columns,
            include_deleted=self._spec.include_deleted,
            folder=self._folder,
            file_format=self._spec.format,
            parallel_pages=self._spec.parallel_pages,
            may_hand_over=self._spec.transport == AUTO,
            refused_by=refused_by,
            before_page=self.budget.check,
            rest_limits=self._rest_limits,
        )

    def _published(self, rows: Rows, *, resumable: bool) -> Receipt | HandOver:
        """Fetch, prove and publish rows, unless their route hands over."""
        origin = rows.origin
        with self._all_or_nothing(origin, resumable=resumable):
            result = self._fetched(rows)
            if isinstance(result, HandOver):
                self._folder.discard(*origin.stems)
                return result
            receipt = self._proved(origin, result)
            self._folder.publish(receipt)
        count_published(self._org, receipt, self._spec.moments)
        return self._concluded(receipt)

    def _fetched(self, rows: Rows) -> Result | HandOver:
        """Fetch rows; once more, into the same parts, where numbers turn out not to fit their columns."""
        while True:
            try:
                return rows.fetch()
            except TooLargeNumbersError as found:
                rows = rows.kept_in(self._widened(found.columns))

    def _widened(self, names: Sequence[str]) -> tuple[Column, ...]:
        """Keep columns as doubles from now on."""
        log.warning(
            "Numbers in %s do not fit decimal128(38, 18) or int64: this data set holds these columns as doubles. Its "
            "pages are fetched again",
            ", ".join(names),
        )
        self._plan = replace(self.plan, columns=tuple(c.widened() if c.name in names else c for c in self.plan.columns))
        return self.plan.columns

    def _published_before(self, job_ids: Sequence[str]) -> Receipt | None:
        """The receipt of these jobs, if an earlier attempt published it and then died."""
        receipt = self._folder.previous_receipt
        if receipt is None or list(receipt.job_ids) != job_ids or receipt.file_format != self._spec.file_format:
            return None
        same_files = all(part.name.endswith(f".{self._spec.format.extension}") for part in receipt.parts)
        return receipt if same_files and self._folder.holds(receipt) else None

    @contextmanager
    def _all_or_nothing(self, origin: Origin, *, resumable: bool) -> Iterator[None]:
        """On failure remove the parts, unless a retry can resume from them."""
        try:
            with storage_errors(self._folder.path):
                yield
        except BaseException as error:
            hopeless = isinstance(error, SalesforceError) and not error.retryable
            overtaken = isinstance(error, OtherAttemptError)
            if hopeless or overtaken or not resumable:
                try:
                    self._folder.discard_own() if overtaken else self._folder.discard(*origin.stems)
                except storage_failures(ValueError) as left:
                    log.warning("Parts of %s are left in %s: %s", origin.title, self._folder.path, left)
            raise

    def _proved(self, origin: Origin, result: Result) -> Receipt:
        """The receipt of a result that is complete."""
        counts = Counts(sum(part.records for part in result.parts), result.declared, result.counted)
        self._prove(origin.title, counts, result)
        if result.rounded:
            counted = ", ".join(f"{name} ({count})" for name, count in result.rounded.items())
            log.info("Numbers were rounded after the 18th decimal place: %s", counted)
        entries = tuple(column_entry(column) for column in result.columns)
        window, token = self._spec.moments, self._org.token()
        return Receipt(
            sobject=self.plan.sobject,
            soql=self.plan.soql,
            window=(window[0].isoformat(), window[1].isoformat()) if window else None,
            job_id=origin.job_id,
            api_version=origin.api_version,
            records=counts.written,
            counts=counts,
            parts=result.parts,
            columns=entries,
            file_format=self._spec.file_format,
            api_calls=self._org.session.usage.calls + result.api_calls,
            seconds=round(time.monotonic() - self._started, 3),
            package_version=__version__,
            output_path=self._folder.path,
            transport=origin.transport,
            written_by=self._spec.written_by,
            org_id=token.org_id,
            host=urlsplit(token.instance_url).hostname,
            numbers=self._spec.numbers,
            rounded=result.rounded,
            widened=tuple(column.name for column in result.columns if column.is_widened),
            formulas=tuple(column.name for column in result.columns if column.is_unstamped),
            kind="changes" if window else "full",
            schema_sha256=schema_hash(entries),
            jobs=result.jobs,
            **self._chained(entries),
        )

    def _chained(self, columns: tuple[Mapping[str, str], ...]) -> dict[str, Any]:
        """What a receipt says of the one before it, in its chain or in its folder."""
        if self._spec.link is None:
            return {"drift": drift_between(self._folder.previous_receipt, columns)}
        return self._spec.link.in_receipt()

    def _prove(self, title: str, counts: Counts, result: Result) -> None:
        """Refuse a result unless the three counts agree and the columns are those asked for."""
        names = [column.name for column in result.columns]
        if twice := repeated_names(result.columns):
            raise ProtocolError(f"the result of {title} has two columns that are named {twice[0]}: {names}")
        asked = [column.name.lower() for column in self.plan.columns]
        if self._spec.sobject and asked != [name.lower() for name in names]:
            raise ProtocolError(f"the result of {title} has other columns than the query: {names}")
        must_agree = result.needs_count and self._spec.verify_job_count
        counted_agrees = counts.job == counts.written or not must_agree
        if counts.written != counts.pages or not counted_agrees:
            was = "was" if counts.written == 1 else "were"
            raise ProtocolError(
                f"{title} is not complete: {counted(counts.written, 'row')} {was} written, its pages declared "
                f"{counts.pages:,}, and Salesforce counted {counts.job} in all. If Salesforce's own figure is known to "
                "differ for this query, verify_job_count=False records it instead."
            )

    def _shared_jobs(self, receipt: Receipt) -> tuple[str, ...]:
        """The jobs whose pages other tasks fetched too."""
        return ()

    def _concluded(self, receipt: Receipt) -> Receipt:
        """Clear away what a published receipt replaces."""
        try:
            self._folder.clear_replaced(self._shared_jobs(receipt))
        except storage_failures(ValueError) as error:
            # The receipt is written, so the data set stands; readers that follow it never see what is left.
            log.warning("Old parts are left in %s: %s", self._folder.path, error)
        log.info(
            "Published %s in %s, as many as the pages declared%s; %s, %.1f s: %s",
            counted(receipt.records, "record"),
            counted(len(receipt.parts), "part"),
            "" if receipt.counts.job is None else " and Salesforce counted",
            counted(receipt.api_calls, "API call"),
            receipt.seconds,
            self._folder.path,
        )
        return receipt
