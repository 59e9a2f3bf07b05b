"""One attempt of an extract task: which job it has, waiting for it, and what is remembered for the next attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn, Protocol

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.compat import settling_time
from airflow_provider_sfjwt.exceptions import (
    BulkJobTimeoutError,
    NotFoundError,
    ProtocolError,
    RequestLimitError,
    SalesforceError,
)
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.plan import Plan
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.published import listed_parts
from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink, Receipt
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.salesforce.api import soql
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef, completed, get_job, timed_out, too_slow
from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.unwanted_jobs import abort_jobs
from airflow_provider_sfjwt.tasks.assets import PublishedEvents, TaskWithAssets
from airflow_provider_sfjwt.tasks.deferral import DeferrableTask, let_commits_settle, spare_api_calls
from airflow_provider_sfjwt.tasks.extract_steps import STEPS, Found, Remembered, Step, Why
from airflow_provider_sfjwt.tasks.job_memory import JobMemory, SubmittedJob
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink
from airflow_provider_sfjwt.tasks.report.reporting import Draft
from airflow_provider_sfjwt.tasks.watermark import Watermark
from airflow_provider_sfjwt.tasks.windows import given_window, run_interval, with_replaced_rows
from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger

#: Grace period in seconds after the task's timeout in which an unpublished job is still resumed.
_STALE_AFTER = 86_400
#: Jobs of one task whose query took too long, one after another, before the task ends for good.
_MOST_TIMEOUTS = 3
_LOST = ("Failed", "Aborted")


class ExtractingTask(DeferrableTask, TaskWithAssets, Protocol):
    """What an extract needs of the operator that runs it, beside the arguments that its spec reads.

    :param running: the job that ends with the task when it is killed.
    :param killed: whether somebody ended the task. Airflow says so in the midst of its work, which goes on for seconds.
    :param job_url: for the link to the job.
    :param link: what ties the receipt to the one before it, or None outside a chain.
    """

    running: JobRef | None
    killed: bool
    job_url: str
    link: ChainLink | None

    def on_kill(self) -> None:
        """Abort the job that is running."""


class ExtractTask:
    """One attempt of an extract task, or what is left of it after a deferral.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from. Its session counts the API calls of earlier attempts too.
    :param draft: of the task's report.
    """

    def __init__(self, task: ExtractingTask, context: Mapping[str, Any], org: ConnectedOrg, draft: Draft) -> None:
        self._task = task
        self._context = context
        self._org = draft.org = org
        self._draft = draft
        self._memory = JobMemory(context)
        self._spec = self._asked()
        self._job: SubmittedJob | None = None
        self._found: Job | NotFoundError | None = None
        self._set_extraction(None)

    def _asked(self) -> ExtractSpec:
        link = self._task.link  # a window that is left to a task of its own has proved large
        writer = Writer.of(self._context)
        return ExtractSpec.of(self._task, written_by=writer, link=link, rather_large=link is not None)

    def start(self) -> dict[str, Any]:
        """Create the job, or resume that of an earlier attempt, and see it through.

        :return: what the task returns.
        """
        spec, writer = self._spec, self._spec.written_by
        sobject = soql.sobject_of(spec.soql) if spec.soql else spec.sobject
        self._events(sobject).check(mapped=writer is not None and writer.map_index >= 0)
        with self._sparing_api_calls():
            return self._go_on(self._begin(), {})

    def resume(self, event: Mapping[str, Any], submitted: Mapping[str, Any] | None) -> dict[str, Any]:
        """Publish the result of the job that the triggerer waited for.

        :param event: of the trigger.
        :param submitted: the job as it was submitted, or None where that was lost.
        :return: what the task returns.
        """
        self._org.session.usage.calls += int(event.get("api_calls") or 0)
        job = SubmittedJob.from_json(submitted) or self._memory.recall() or self._job_of(event)
        remembered, found = self._recognised(job, event), Found.NOT_ASKED
        why = Why.TIMED_OUT if event["status"] == "timeout" else Why.WAITED
        if job is not None and remembered in (Remembered.OWN, Remembered.EARLIER):
            self._attend(job)
            if why is Why.WAITED:
                # Asked again here, so that what went wrong in the triggerer is raised by its own type.
                with self._updating_job_memory(job):
                    found = self._look(lambda: self._org.run(get_job, job.ref))
        with self._sparing_api_calls():
            return self._go_on(STEPS[why, remembered, found], event)

    def _go_on(self, step: Step, event: Mapping[str, Any]) -> dict[str, Any]:
        """Take one step after the other, up to a receipt or an error."""
        while True:
            match step:
                case Step.CREATE:
                    begun = self._create()
                    if isinstance(begun, Receipt):
                        return self._conclude(begun)
                    step = self._wait(begun)
                case Step.WAIT:
                    step = self._wait(replace(self._in_hand(), reattached=True))
                case Step.PUBLISH:
                    return self._complete()
                case Step.ABANDON:
                    self._abandon(event)
                    event = {}  # it told of that job alone
                    step = self._begin()
                case Step.FAIL | Step.GIVE_UP:
                    self._fail(event)

    # -- the steps ---------------------------------------------------------------------------------------------------

    def _begin(self) -> Step:
        """Prepare the extract, and look at the job of an earlier attempt."""
        job = self._memory.recall()
        same = job is not None and self._asks_for_the_same(job)
        earlier = job if same else None
        if earlier is not None:
            self._org.session.usage.calls += earlier.api_calls
        with self._saving_api_calls(earlier):
            self._set_extraction(earlier.moments if earlier else self._new_window())
            self._spare_api_calls()
            self._extraction.prepare()
            self._spare_api_calls()
            remembered, found = Remembered.NOTHING if job is None else Remembered.OTHER, Found.NOT_ASKED
            if earlier is not None and earlier.soql == self._extraction.plan.soql:
                remembered, self._job = Remembered.EARLIER, earlier
                found = self._look(lambda: self._org.run(get_job, earlier.ref))
            step = STEPS[Why.BEGINS, remembered, found]
            if step is Step.CREATE and self._window is not None and self._spec.incremental != "watermark":
                self._let_commits_settle(self._window[1])
        if step is Step.WAIT and isinstance(self._found, Job):
            self._task.log.info(
                "Resuming job %s of an earlier attempt; it is %s", self._found.ref.id, self._found.state
            )
        return step

    def _create(self) -> SubmittedJob | Receipt:
        if self._job is not None:
            fate = self._found.state if isinstance(self._found, Job) else "gone"
            self._task.log.info("Job %s of an earlier attempt is %s; starting a new one", self._job.job_id, fate)
        self._end_if_killed()
        with self._saving_api_calls(self._memory.recall()):
            begun = self._extraction.begin()
        if isinstance(begun, Receipt):
            return begun
        self._task.running = begun
        return self._submitted(begun)

    def _wait(self, job: SubmittedJob) -> Step:
        self._job = job
        self._memory.remember(job)
        self._attend(job)
        if self._spec.deferrable:
            self._defer(replace(job, api_calls=self._org.session.usage.calls))
        with self._updating_job_memory(job):
            found = self._look(lambda: self._extraction.wait(job.ref))
        return STEPS[Why.WAITED, Remembered.EARLIER if job.reattached else Remembered.OWN, found]

    def _defer(self, job: SubmittedJob) -> None:
        spec = self._spec
        self._memory.remember(job)
        trigger = SalesforceBulkJobTrigger(
            salesforce_conn_id=spec.salesforce_conn_id,
            job_id=job.job_id,
            api_version=job.api_version,
            poll_interval=spec.poll_interval,
            deadline=time.time() + spec.timeout,
            not_before=time.time() + settling_time(),
        )
        self._task.running = None  # from here on the trigger's on_kill aborts it
        self._task.defer(trigger=trigger, method_name="execute_complete", kwargs={"submitted": job.to_json()})

    def _complete(self) -> dict[str, Any]:
        with self._updating_job_memory(self._in_hand()):
            receipt = self._extraction.finish(self._completed_job(), resumable=self._memory.lasts)
        return self._conclude(receipt)

    def _completed_job(self) -> Job:
        if not isinstance(self._found, Job):
            raise LookupError("there is no job whose rows could be published")
        return self._found

    def _abandon(self, event: Mapping[str, Any]) -> None:
        """End a job whose result nobody will fetch, since the task was changed meanwhile."""
        job = self._memory.recall()
        ref = JobRef(event["job_id"], event["api_version"]) if event else job.ref if job else None
        if ref is not None:
            self._task.log.info("Job %s is not what this task asks for any more; starting a new one", ref.id)
            self._org.run(abort_jobs, [ref], self._task.log)
        self._memory.forget()

    def _fail(self, event: Mapping[str, Any]) -> NoReturn:
        """Raise what happened to the job, so that a retry knows what it cost."""
        job = self._in_hand()
        with self._updating_job_memory(job):
            if event.get("status") == "timeout":
                raise BulkJobTimeoutError(event["message"], job=event["job"], retryable=event["retryable"])
            if isinstance(self._found, NotFoundError):
                raise self._found
            if self._found is not None and self._found.ended:
                if len(job.timed_out) >= _MOST_TIMEOUTS:
                    raise too_slow(self._found, len(job.timed_out))
                completed(self._found)
            message = event.get("message") or f"the triggerer stopped waiting for job {job.job_id}"
            raise SalesforceError(message, retryable=True)

    def _conclude(self, receipt: Receipt) -> dict[str, Any]:
        self._task.running = None
        self._draft.receipt = receipt
        summary = receipt.summary() | ({"parts": listed_parts(receipt)} if self._spec.list_parts else {})
        if self._spec.incremental == "watermark" and self._window is not None:
            self._watermark().advance(self._window)
        self._events(receipt.sobject).emit(self._context, summary)
        self._memory.forget()
        return summary

    # -- what is known and remembered --------------------------------------------------------------------------------

    def _set_extraction(self, window: Window | None, plan: Plan | None = None) -> None:
        """Extract the rows of a window from now on, or all rows. Without a plan, the org is asked for it."""
        self._window = window
        self._extraction = self._extraction_of(replace(self._spec, window=window, incremental=None), plan)
        self._draft.extraction = self._extraction
        self._job = None
        self._found = None

    def _extraction_of(self, spec: ExtractSpec, plan: Plan | None) -> Extraction:
        return Extraction(self._org, spec, plan=plan)

    def _in_hand(self) -> SubmittedJob:
        """The job that the table of steps took for granted."""
        if self._job is None:
            raise LookupError("there is no job to go on with")
        return self._job

    def _look(self, ask: Callable[[], Job]) -> Found:
        """What Salesforce says of the job."""
        try:
            self._found = job = ask()
        except NotFoundError as error:
            self._found = error
            return Found.GONE
        if not job.ended:
            return Found.RUNNING
        if timed_out(job) and self._job is not None:
            self._job = replace(self._job, timed_out=tuple(dict.fromkeys((*self._job.timed_out, job.ref.id))))
        return Found.LOST if job.state in _LOST else Found.COMPLETE

    def _asks_for_the_same(self, job: SubmittedJob) -> bool:
        """Whether the task still asks for what the job was created for, and not too long after."""
        if job.order != self._spec.fingerprint() or time.time() - job.created_at > self._spec.timeout + _STALE_AFTER:
            return False
        return self._spec.incremental == "watermark" or job.moments == self._asked_window()

    def _recognised(self, job: SubmittedJob | None, event: Mapping[str, Any]) -> Remembered:
        """Whose job the triggerer waited for."""
        if job is None:
            return Remembered.NOTHING
        self._org.session.usage.calls += job.api_calls
        with self._saving_api_calls(job):
            self._set_extraction(job.moments, Plan.from_json(job.soql, job.plan))
            same_request = job.order == self._spec.fingerprint() and job.soql == self._extraction.plan.soql
            if self._spec.incremental is None:
                same_request = same_request and job.moments == self._spec.moments
        if not same_request or job.job_id != event["job_id"]:
            return Remembered.OTHER
        self._job = job
        return Remembered.EARLIER if job.reattached else Remembered.OWN

    def _job_of(self, event: Mapping[str, Any]) -> SubmittedJob | None:
        """The event's job, where nothing was remembered and the run alone says which rows it has."""
        if self._spec.incremental == "watermark":
            return None
        self._set_extraction(self._asked_window())
        return replace(self._submitted(JobRef(event["job_id"], event["api_version"])), api_calls=0)

    def _submitted(self, ref: JobRef) -> SubmittedJob:
        window = self._window
        return SubmittedJob(
            job_id=ref.id,
            api_version=ref.api_version,
            soql=self._extraction.plan.soql,
            order=self._spec.fingerprint(),
            window=(window[0].isoformat(), window[1].isoformat()) if window else None,
            api_calls=self._org.session.usage.calls,
            created_at=time.time(),
            plan=self._extraction.plan.to_json(),
            timed_out=self._job.timed_out if self._job is not None else (),
        )

    @contextmanager
    def _updating_job_memory(self, job: SubmittedJob | None) -> Iterator[None]:
        """Tell the next attempt what this one cost, or let it begin anew where the result cannot be trusted."""
        try:
            with self._saving_api_calls(job):
                yield
        except ProtocolError:
            self._memory.forget()
            raise

    @contextmanager
    def _saving_api_calls(self, job: SubmittedJob | None) -> Iterator[None]:
        """Tell the next attempt what this one cost, where there is a job for it to resume."""
        try:
            yield
        except SalesforceError:
            if job is not None:
                self._memory.remember(replace(job, api_calls=self._org.session.usage.calls))
            raise

    def _attend(self, job: SubmittedJob) -> None:
        """From now on the job is aborted when the task is killed, and its page is linked."""
        self._task.running = job.ref
        self._draft.job_ids.append(job.job_id)
        self._end_if_killed()
        self._extraction.began_by(job.created_at)
        SalesforceJobLink().show(self._task, self._context, self._org.token().instance_url, job.job_id)

    def _end_if_killed(self) -> None:
        """Leave no job behind where the task was killed before it had one, or while it replaced one."""
        if self._task.killed:
            self._task.on_kill()
            raise SalesforceError("the task was killed, so its job was aborted", retryable=True)

    @contextmanager
    def _sparing_api_calls(self) -> Iterator[None]:
        """Where Salesforce refuses a call and calls must be left to others, wait for them in the triggerer."""
        try:
            yield
        except RequestLimitError:
            if self._spec.deferrable and self._extraction.budget.is_limited:
                self._extraction.budget.look_again()
                self._spare_api_calls()
            raise

    def _spare_api_calls(self) -> None:
        spare_api_calls(self._task, self._spec, self._extraction.budget, method_name="execute_after_budget")

    # -- which rows --------------------------------------------------------------------------------------------------

    def _asked_window(self) -> Window | None:
        """The rows that the run or the author names; None for all rows, and for a watermark's."""
        return run_interval(self._context) if self._spec.incremental == "data_interval" else given_window(self._spec)

    def _new_window(self) -> Window | None:
        if self._spec.incremental == "watermark":
            window = self._watermark().window(self._org.run(agreed_time), self._spec.commit_lag)
            return with_replaced_rows(window, self._spec.output_path)
        return self._asked_window()

    def _let_commits_settle(self, end: datetime) -> None:
        ahead = (end - self._org.run(agreed_time)).total_seconds()
        if self._spec.window is not None and ahead > self._spec.commit_lag:
            self._task.log.warning("window ends at %s, in the future: rows that come later are not extracted", end)
            return
        let_commits_settle(self._task, self._spec, self._org, end, method_name="execute_after_lag")

    def _watermark(self) -> Watermark:
        return Watermark(self._context, self._task, self._spec, self._org)

    def _events(self, sobject: str | None) -> PublishedEvents:
        spec = self._spec
        return PublishedEvents(self._task, spec.salesforce_conn_id, sobject, emit_empty=spec.emit_empty)
