"""The tasks of an extract whose pages several tasks fetch: plan, a share of the pages, commit, and what is aborted.

They share the folder of the data set. The plan writes down there what it knows of its job (``_job-<job>.json``), a
share a manifest beside each part, and the commit the receipt, which replaces both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import argument
from airflow_provider_sfjwt.compat import conf, task_state_store
from airflow_provider_sfjwt.exceptions import ConfigurationError, NotFoundError, ProtocolError, SalesforceError, counted
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.plan import Plan
from airflow_provider_sfjwt.extract.result_pages import Page, UnlistedCalls
from airflow_provider_sfjwt.extract.shared_extraction import SharedExtraction
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.published import listed_parts
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.salesforce.api import soql
from airflow_provider_sfjwt.salesforce.api.bulk_job import get_job
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.tasks.assets import PublishedEvents, TaskWithAssets
from airflow_provider_sfjwt.tasks.extract_task import ExtractingTask, ExtractTask
from airflow_provider_sfjwt.tasks.job_memory import SubmittedJob
from airflow_provider_sfjwt.tasks.report.reporting import Draft
from airflow_provider_sfjwt.tasks.watermark import Watermark

#: The XCom of a plan that names its job while it runs.
RUNNING_JOB = "salesforce_running_job"
#: Bytes of CSV from which several tasks are worth their cost: one task takes some minutes for less.
_WORTH_SHARING = 10e9
#: Bytes of CSV that a cell has, about: Salesforce counts rows and not bytes.
_BYTES_A_CELL = 20
#: What is remembered of the calls of attempts that failed.
_CALLS = "salesforce_api_calls"
_ONE_MACHINE = ("LocalExecutor", "SequentialExecutor")
_CLEAR = "Clear all tasks of the group, so that its plan asks Salesforce anew"


@dataclass(frozen=True, kw_only=True)
class SharedSpec(ExtractSpec):
    """What the group is asked to do.

    :param shares: how many tasks fetch pages.
    """

    shares: int = argument(arguments.whole_number(1, 1000), default=8, harmless=True)


class PlanningTask(ExtractingTask, Protocol):
    """What is asked of the operator that plans.

    :param group: the id of the task group.
    :param created: start and end of ``CreatedDate`` in ISO 8601, None on either side for no limit; or None.
    :param shares: how many tasks fetch pages.
    """

    group: str
    created: Sequence[str | None] | None
    shares: int


class GroupedTask(TaskWithAssets, Protocol):
    """What is asked of the operators that fetch and commit.

    :param extract: the arguments of the extract, by their names.
    :param group: the id of the task group.
    """

    extract: Mapping[str, Any]
    group: str


@dataclass
class _Group:
    """The task group as one task, to which the watermark belongs: one of its tasks reads it, another one moves it."""

    inlets: Any
    outlets: Any
    dag_id: str
    task_id: str

    @classmethod
    def of(cls, task: TaskWithAssets, group: str) -> _Group:
        return cls(task.inlets, task.outlets, task.dag_id, group)


class PlanTask(ExtractTask):
    """One attempt of the task that creates a job, waits for it and shares its pages.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from.
    :param draft: of the task's report.
    """

    def __init__(self, task: PlanningTask, context: Mapping[str, Any], org: ConnectedOrg, draft: Draft) -> None:
        self._planning = task
        #: What each share is: the job, and places and locators of pages.
        self.shares: list[dict[str, Any]] = []
        super().__init__(task, context, org, draft)

    def _asked(self) -> ExtractSpec:
        task = self._planning
        limits = [datetime.fromisoformat(each) if each else None for each in task.created or ()]
        created = (limits[0], limits[1]) if limits else None
        return ExtractSpec.of(task, written_by=_writer(self._context, task.group), created=created)

    def _extraction_of(self, spec: ExtractSpec, plan: Plan | None) -> Extraction:
        self._sharing = SharedExtraction(self._org, spec, plan=plan)
        return self._sharing

    def _complete(self) -> dict[str, Any]:
        """Share the pages. The job is done, so nothing is left to resume or to abort."""
        job, rows = self._in_hand(), self._completed_job().records_processed
        with self._updating_job_memory(job):
            pages = self._sharing.pages(job.ref)
            calls = self._org.session.usage.calls
            self._sharing.share(job.ref, replace(job, api_calls=calls).to_json(longest=math.inf))
        self.shares = [
            {"job_id": job.job_id, "pages": [list(page) for page in share]}
            for share in shares_of(pages, self._planning.shares)
        ]
        self._task.log.info(
            "Job %s has %s in %s, for %s",
            job.job_id,
            "an unknown number of rows" if rows is None else counted(rows, "row"),
            counted(len(pages), "page"),
            counted(len(self.shares), "share"),
        )
        self._warn(rows, len(pages))
        self._memory.forget()
        self._task.running = None
        self._name_job({})
        return {"job_id": job.job_id, "pages": len(pages), "records": rows}

    def _attend(self, job: SubmittedJob) -> None:
        self._name_job({"job_id": job.job_id, "api_version": job.api_version})
        super()._attend(job)

    def _name_job(self, job: Mapping[str, str]) -> None:
        """Name the running job to the task that aborts it where this one is lost for good."""
        if (instance := self._context.get("ti")) is not None:
            instance.xcom_push(key=RUNNING_JOB, value=dict(job))

    def _watermark(self) -> Watermark:
        group = _Group.of(self._task, self._planning.group)
        return Watermark(self._context, group, self._spec, self._org)

    def _warn(self, rows: int | None, pages: int) -> None:
        columns = len(self._sharing.plan.columns)
        size = (rows or 0) * columns * _BYTES_A_CELL
        if rows is not None and size < _WORTH_SHARING:
            self._task.log.warning(
                "One task would do: %s of %s in %s are about %s of CSV. SalesforceExtractOperator fetches several "
                "pages at once (parallel_pages), without %s more; several tasks pay from about %.0f GB on",
                counted(rows, "row"),
                counted(columns, "column"),
                counted(pages, "page"),
                f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB",
                counted(len(self.shares) + 2, "task"),
                _WORTH_SHARING / 1e9,
            )
        if self._sharing.is_local and not _on_one_machine():
            self._task.log.warning(
                "output_path %s is on a file system of this machine, and the executor is %s: the tasks of the group "
                "see the same folder only where it is mounted on every worker. Use object storage such as s3://",
                self._spec.output_path,
                conf.get("core", "executor", fallback=""),
            )


class ShareTask:
    """One attempt of a task that fetches a share of the pages.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from.
    """

    def __init__(self, task: GroupedTask, context: Mapping[str, Any], org: ConnectedOrg) -> None:
        self._spec = spec_of(task, context)
        self._context = context
        self._org = org

    def fetch(self, share: Mapping[str, Any]) -> dict[str, Any]:
        """Fetch the pages that no earlier attempt finished.

        :param share: ``job_id``, and ``pages`` with place and locator of each.
        :return: how many ``pages``, ``records`` and ``bytes`` the share has.
        """
        job = _shared_job(SharedExtraction(self._org, self._spec), self._spec, share["job_id"])
        pages: list[Page] = [(number, locator) for number, locator in share["pages"]]
        usage = self._org.session.usage
        unlisted = UnlistedCalls(usage)
        spec = replace(self._spec, window=job.moments, incremental=None)
        extraction = SharedExtraction(self._org, spec, plan=Plan.from_json(job.soql, job.plan))
        with _remembering(self._context, self._org, lambda: unlisted.number), _naming_the_remedy(job.job_id):
            fetched = extraction.fetch_share(job.ref, pages, unlisted)
        return {
            "pages": len(fetched),
            "records": sum(page.part.records for page in fetched),
            "bytes": sum(page.part.bytes for page in fetched),
        }


class CommitTask:
    """One attempt of the task that publishes.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from.
    :param draft: of the task's report.
    """

    def __init__(self, task: GroupedTask, context: Mapping[str, Any], org: ConnectedOrg, draft: Draft) -> None:
        self._task = task
        self._context = context
        self._org = draft.org = org
        self._draft = draft
        self._spec = spec_of(task, context)

    def publish(self, job_ids: Sequence[str]) -> dict[str, Any]:
        """Prove that all pages of all jobs are there, and publish them.

        :param job_ids: the jobs, in the order of their rows.
        :return: what an extract returns.
        """
        self._draft.job_ids.extend(job_ids)
        usage = self._org.session.usage
        receipt = SharedExtraction(self._org, self._spec).published(job_ids)
        if receipt is None:
            jobs = [_shared_job(SharedExtraction(self._org, self._spec), self._spec, each) for each in job_ids]
            usage.calls += sum(job.api_calls for job in jobs)
            with _remembering(self._context, self._org, lambda: usage.calls - sum(job.api_calls for job in jobs)):
                receipt = self._published(jobs)
        usage.calls = receipt.api_calls
        return self._conclude(receipt)

    def _published(self, jobs: Sequence[SubmittedJob]) -> Receipt:
        first = jobs[0]
        spec = replace(self._spec, window=first.moments, incremental=None)
        plans = [Plan.from_json(job.soql, job.plan) for job in jobs]
        plan = plans[0]
        if plan is None or any(each is None or each.columns != plan.columns for each in plans):
            raise ProtocolError(
                f"the fields of {spec.sobject} changed while its jobs were created", remedy=f"{_CLEAR}."
            )
        if len(jobs) > 1:
            names = [column.name for column in plan.columns]
            plan = replace(plan, soql=soql.select(plan.sobject or "", names, spec.condition))
        extraction = self._draft.extraction = SharedExtraction(self._org, spec, plan=plan)
        extraction.began_by(min(job.created_at for job in jobs))
        found = []
        for job in jobs:
            with _naming_the_remedy(job.job_id):
                found.append((self._org.run(get_job, job.ref), job.soql))
        return extraction.finish_shared(found)

    def _conclude(self, receipt: Receipt) -> dict[str, Any]:
        spec, self._draft.receipt = self._spec, receipt
        summary = receipt.summary() | ({"parts": listed_parts(receipt)} if spec.list_parts else {})
        if spec.incremental == "watermark" and receipt.window is not None:
            start, end = (datetime.fromisoformat(each) for each in receipt.window)
            group = _Group.of(self._task, self._task.group)
            Watermark(self._context, group, spec, self._org).advance((start, end))
        events = PublishedEvents(self._task, spec.salesforce_conn_id, receipt.sobject, emit_empty=spec.emit_empty)
        events.emit(self._context, summary)
        return summary


def spec_of(task: GroupedTask, context: Mapping[str, Any]) -> ExtractSpec:
    """What the author asks of the group.

    :param task: an operator of the group.
    :param context: Airflow's.
    :raises ConfigurationError: for arguments that cannot be carried out.
    """
    spec = ExtractSpec(**task.extract, written_by=_writer(context, task.group))
    spec.check()
    return spec


def shares_of(pages: Sequence[Page], most: int) -> list[list[Page]]:
    """Pages in shares of about the same size, each of neighbouring pages.

    :param pages: all of them.
    :param most: shares.
    :return: at least one share, which is empty where there are no pages.
    """
    number = max(1, min(most, len(pages)))
    starts = [len(pages) * share // number for share in range(number + 1)]
    return [list(pages[start:end]) for start, end in pairwise(starts)]


def _writer(context: Mapping[str, Any], group: str) -> Writer | None:
    """Who writes the data set: the group. Its tasks must not take each other for others."""
    writer = Writer.of(context)
    return writer and Writer(writer.dag_id, writer.run_id, group, -1)


def _shared_job(extraction: SharedExtraction, spec: ExtractSpec, job_id: str) -> SubmittedJob:
    """What the plan wrote down of its job."""
    job = SubmittedJob.from_json(extraction.shared(job_id))
    if job is None:
        raise ConfigurationError(
            {
                "output_path": f"{spec.output_path} has no _job-{job_id}.json here, which task 'plan' wrote. Either "
                "the data set was published since: clear all tasks of the group. Or this worker has another folder of "
                "that name: use storage that all workers share, such as s3://. Or the path names the task, as "
                "{{ ti.task_id }} does: the tasks of the group need one path"
            },
            subject="the task",
        )
    return job


@contextmanager
def _remembering(context: Mapping[str, Any], org: ConnectedOrg, number: Callable[[], int]) -> Iterator[None]:
    """Tell the next attempt how many calls of this one no file lists."""
    store = task_state_store(context)
    earlier = store.get(_CALLS) if store is not None else None
    org.session.usage.calls += earlier if isinstance(earlier, int) else 0
    try:
        yield
    except SalesforceError:
        if store is not None:
            store.set(_CALLS, number())
        raise
    if store is not None and earlier:
        store.delete(_CALLS)


@contextmanager
def _naming_the_remedy(job_id: str) -> Iterator[None]:
    """Say what to do where a job is gone: a retry would not find it either."""
    try:
        yield
    except NotFoundError as error:
        message = f"the result of job {job_id} is gone: Salesforce keeps results for 7 days. {_CLEAR}. {error}"
        raise error.with_message(message, retryable=False) from None


def _on_one_machine() -> bool:
    """Whether each executor runs its tasks on the scheduler's machine."""
    names = str(conf.get("core", "executor", fallback="")).split(",")
    return all(name.strip().rpartition(".")[2].rpartition(":")[2] in _ONE_MACHINE for name in names)
