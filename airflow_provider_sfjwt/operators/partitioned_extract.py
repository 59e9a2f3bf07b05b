"""One big object over many workers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from airflow_provider_sfjwt.arguments import window_of
from airflow_provider_sfjwt.compat import default_deferrable
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.operators.shares import (
    AbortJobsOperator,
    CommitSharesOperator,
    FetchShareOperator,
    PlanSharesOperator,
)
from airflow_provider_sfjwt.tasks.assets import PublishedEvents

if TYPE_CHECKING:
    from airflow_provider_sfjwt.arguments import GivenWindow

__all__ = ["SalesforcePartitionedExtract"]

#: Arguments of ``SalesforceExtractOperator`` that the group does not have.
_NOT_HERE = {
    "transport": "a group shares the pages of Bulk API 2.0 jobs; over REST, use SalesforceExtractOperator",
}


class SalesforcePartitionedExtract(TaskGroup):
    """Extracts one big object with several tasks: ``plan``, ``fetch`` (mapped), ``commit`` and ``abort``.

    ``plan`` creates a Bulk API 2.0 job, waits for it and shares the pages of its result. Each instance of ``fetch``
    signs in by itself and fetches its share; a retry of it keeps its finished pages. ``commit`` proves that all pages
    are there, and writes the receipt that ``SalesforceExtractOperator`` would write. ``abort`` is a teardown: it aborts
    the job of a plan that was lost for good, and else does nothing.

    It pays where one machine's network or CPU is the limit. ``SalesforceExtractOperator(parallel_pages=…)`` fetches
    several pages at once in one task; ``plan`` logs a warning, with the numbers, where that would do.

    All tasks write to one folder. Give it storage that all workers share; a local path is right only where all tasks
    run on one machine, and a task that does not find there what ``plan`` wrote fails by name.

    :param group_id: the group's id. A watermark belongs to it.
    :param output_path: the folder of this run (templated), the same for all tasks of the group.
    :param sobject: the object to extract (templated); or else ``soql``.
    :param soql: the query to extract (templated); or else ``sobject``.
    :param fields: field names; None for every field that Bulk API can return (templated).
    :param where: a SOQL condition without ``WHERE`` (templated).
    :param window: start and end of ``cursor_field``, the end excluded (templated); None for all rows.
    :param ranges: moments in ISO 8601 with a zone, in order. They part the rows by ``CreatedDate``: two moments make
        three jobs, each with tasks ``plan`` and ``fetch`` in a group of its own, ``range_1`` and so on. For first loads
        above 100 million rows. They need one end for all jobs, so ``window`` or ``incremental="data_interval"``: rows
        that change later are left to the next window. None for one job.
    :param shares: how many instances of ``fetch`` each job gets at most, up to 1,000.
    :param file_format: ``parquet``, ``csv`` or ``jsonl``.
    :param compression: None for the format's default.
    :param numbers: how Parquet keeps fractional numbers, as ``SalesforceExtractOperator`` has it.
    :param include_deleted: whether rows in the recycle bin and archived activities are extracted too.
    :param incremental: None, ``data_interval`` or ``watermark``, as ``SalesforceExtractOperator`` has it.
    :param cursor_field: a date-time field that moves with every change.
    :param commit_lag: seconds for which rows may become visible late.
    :param parallel_pages: how many pages each instance of ``fetch`` fetches at once.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left; None for no such limit.
    :param verify_job_count: whether each job's own count must equal its rows. False only records the difference.
    :param list_parts: whether the result of ``commit`` has ``parts``; at most 500.
    :param emit_empty: whether an extract without rows emits an asset event.
    :param inlets: the object's asset, where ``incremental="watermark"`` keeps its state with it.
    :param outlets: of ``commit``: an ``AssetAlias`` emits the event of the published object.
    :param deferrable: whether ``plan`` waits in the triggerer. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at the job at most.
    :param timeout: seconds that a job may take.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: ``58.0`` or newer; None for the connection's, or else the newest.
    :param kwargs: of the ``TaskGroup``; ``default_args`` hold what its tasks share, as ``retries``.
    :raises ConfigurationError: for arguments that decide which tasks there are, and cannot be carried out.
    """

    def __init__(
        self,
        group_id: str,
        *,
        output_path: str,
        sobject: str | None = None,
        soql: str | None = None,
        fields: Sequence[str] | None = None,
        where: str | None = None,
        window: GivenWindow | None = None,
        ranges: Sequence[str] | None = None,
        shares: int = 8,
        file_format: str = "parquet",
        compression: str | None = None,
        numbers: str = "decimal",
        include_deleted: bool = False,
        incremental: str | None = None,
        cursor_field: str = "SystemModstamp",
        commit_lag: float = 300,
        parallel_pages: int = 4,
        min_api_calls_left: int | None = None,
        verify_job_count: bool = True,
        list_parts: bool = False,
        emit_empty: bool = True,
        inlets: Sequence[Any] = (),
        outlets: Sequence[Any] = (),
        deferrable: bool = default_deferrable(),
        poll_interval: float = 30,
        timeout: float = 43_200,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        given = locals()
        if refused := {name: why for name, why in _NOT_HERE.items() if name in kwargs}:
            raise ConfigurationError(refused, subject="the task group")
        limits = _limits(ranges, window=window, incremental=incremental, sobject=sobject)
        super().__init__(group_id=group_id, **kwargs)
        extract = {name: given[name] for name in _OF_SPEC} | {"transport": "bulk"}
        shared: dict[str, Any] = {"group": self.group_id, "dag": self.dag}
        of_plan = {**shared, **extract, "shares": shares, "inlets": list(inlets)}
        plans = []
        fetches = []
        for number, created in enumerate(limits, 1):
            place = TaskGroup(f"range_{number}", parent_group=self, dag=self.dag) if ranges else self
            plan = PlanSharesOperator(task_id="plan", created=created, task_group=place, **of_plan)
            fetch = FetchShareOperator.partial(task_id="fetch", extract=extract, task_group=place, **shared)
            plans.append(plan)
            fetches.append(fetch.expand(share=plan.output))
        shared |= {"extract": extract, "task_group": self}
        planned = [plan.output for plan in plans]
        events: dict[str, Any] = {"inlets": list(inlets), "outlets": list(outlets)}
        commit = CommitSharesOperator(task_id="commit", planned=planned, **events, **shared)
        PublishedEvents(commit, salesforce_conn_id, sobject, emit_empty=emit_empty).check(mapped=False)
        abort = AbortJobsOperator(task_id="abort", plans=[plan.task_id for plan in plans], **shared)
        fetches >> commit
        plans >> abort.as_teardown()


#: The arguments that the spec of an extract takes.
_OF_SPEC = (
    "output_path", "sobject", "soql", "fields", "where", "window", "file_format", "compression", "numbers",
    "include_deleted", "incremental", "cursor_field", "commit_lag", "parallel_pages", "min_api_calls_left",
    "verify_job_count", "list_parts", "emit_empty", "deferrable", "poll_interval", "timeout", "salesforce_conn_id",
    "api_version",
)  # fmt: skip


def _limits(
    ranges: Any, *, window: GivenWindow | None, incremental: str | None, sobject: str | None
) -> list[list[str | None] | None]:
    """Start and end of ``CreatedDate`` of each job; None where one job has all rows."""
    if ranges is None:
        return [None]
    if fault := _fault_of_ranges(ranges) or _fault_beside_ranges(window, incremental, sobject):
        raise ConfigurationError({"ranges": fault}, subject="the task group")
    moments = [window_of((each, each))[0].isoformat() for each in ranges]
    return [list(each) for each in zip([None, *moments], [*moments, None], strict=True)]


def _fault_of_ranges(ranges: Any) -> str | None:
    if isinstance(ranges, str) or not isinstance(ranges, Sequence) or not ranges:
        return "must be a list of moments, at least one, e.g. ['2020-01-01T00:00:00Z', '2024-01-01T00:00:00Z']"
    try:
        moments = [window_of((each, each))[0] for each in ranges]
    except ValueError as fault:
        return str(fault).replace("must be two moments", "must hold moments")
    if any(later <= earlier for earlier, later in pairwise(moments)):
        return "must be in order, each moment once"
    return None


def _fault_beside_ranges(window: Any, incremental: str | None, sobject: str | None) -> str | None:
    if sobject is None:
        return "needs sobject; in soql, write the condition yourself"
    if window is None and incremental != "data_interval":
        return (
            "needs one end for all jobs: give window, as ('1999-01-01T00:00:00Z', '{{ data_interval_end }}'), or "
            "incremental='data_interval'"
        )
    return None
