"""A whole org in step: many objects, each with a chain of receipts and a state of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias, BaseOperator, TaskGroup

from airflow_provider_sfjwt.compat import default_deferrable
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.partitioned_extract import SalesforcePartitionedExtract
from airflow_provider_sfjwt.tasks.errors import SYNC_ADVICE, airflow_outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.tasks.sync_task import LargeWindow, SyncTask

__all__ = ["SalesforcePartitionedExtract", "SalesforceSyncGroup"]

#: Jobs of one run that are in work at once.
_MOST_JOBS = 15


class SalesforceSyncGroup(TaskGroup):
    """Extracts what is new in many objects: ``plan``, ``small``, ``large`` and ``summary``.

    ``small`` extracts all small windows in one task, with one sign-in, some at once. Each large one, such as the first
    of a big object, becomes an instance of ``large``, which is a ``SalesforceExtractOperator``. A failing object does
    not stop the others. ``summary`` fails where more objects failed than are allowed, and names each.

    How far an object has got stands beside its data, in ``_state.json``: another DAG id, another order of the objects
    or another metadata database change nothing. Only one run may write to a root: the DAG needs ``max_active_runs=1``.

    :param group_id: the group's id.
    :param objects: names of objects, and patterns with ``*`` and ``?`` over those that can be queried (templated).
    :param output_path: the sync's root on any ``ObjectStoragePath`` (templated); the same for every run.
    :param exclude: names and patterns of objects that are left out.
    :param overrides: ``where``, ``fields``, ``cursor_field`` and ``transport`` of single objects, by their names.
    :param deletes: where deleted rows are looked for: ``recycle_bin``, ``replicated`` (also those that left it),
        ``ids`` (by comparing all ids), or None.
    :param deletes_every: seconds between two looks at what the recycle bin does not show.
    :param refresh_formulas: seconds between two looks at formula fields, whose values change without
        ``SystemModstamp``, in all rows; None for no such look.
    :param on_schema_change: ``evolve``, ``ignore`` or ``fail``.
    :param commit_lag: seconds for which rows may become visible late: the windows end so long before now.
    :param file_format: ``parquet``, ``csv`` or ``jsonl``.
    :param numbers: how Parquet keeps fractional numbers, as ``SalesforceExtractOperator`` has it.
    :param compression: None for the format's default.
    :param rest_rows: rows of a window up to which it is small.
    :param rest_cells: the same, rows times columns.
    :param threads: how many objects are in work at once in ``small``, up to 64.
    :param max_failed_objects: how many objects may fail in a run that succeeds.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left; None for no such limit.
    :param parallel_pages: how many result pages of a job are fetched at once.
    :param asset_alias: the alias by which the events of published objects with rows are emitted; None for no events.
    :param deferrable: whether ``large`` waits in the triggerer. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at a job at most.
    :param timeout: seconds that a job may take, and after which another run may write to the root.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    :param kwargs: of the ``TaskGroup``; ``default_args`` hold what its tasks share, as ``retries``.
    :raises ConfigurationError: when the DAG may have more than one run at once.
    """

    def __init__(
        self,
        group_id: str,
        *,
        objects: Sequence[str],
        output_path: str,
        exclude: Sequence[str] = (),
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        deletes: str | None = "recycle_bin",
        deletes_every: float = 86_400,
        refresh_formulas: float | None = None,
        on_schema_change: str = "evolve",
        commit_lag: float = 300,
        file_format: str = "parquet",
        numbers: str = "decimal",
        compression: str | None = None,
        rest_rows: int = 20_000,
        rest_cells: int = 2_000_000,
        threads: int = 8,
        max_failed_objects: int = 0,
        min_api_calls_left: int | None = None,
        parallel_pages: int = 4,
        asset_alias: str | None = "salesforce",
        deferrable: bool = default_deferrable(),
        poll_interval: float = 30,
        timeout: float = 43_200,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        given = locals()
        super().__init__(group_id=group_id, **kwargs)
        _check_runs(self)
        sync = {name: given[name] for name in _OF_SPEC}
        shared: dict[str, Any] = {"sync": sync, "sync_group": self.group_id, "task_group": self, "dag": self.dag}
        events = [AssetAlias(asset_alias)] if asset_alias else []
        plan = SyncPlanOperator(task_id="plan", **shared)
        small = SyncSmallOperator(task_id="small", outlets=events, **shared)
        large = SyncLargeOperator.partial(
            task_id="large",
            outlets=events,
            max_active_tis_per_dagrun=_MOST_JOBS,
            emit_empty=False,
            **{name: sync[name] for name in _OF_EXTRACT},
            **shared,
        ).expand_kwargs(small.output)
        summary = SyncSummaryOperator(task_id="summary", trigger_rule="all_done", **shared)
        plan >> small >> large >> summary
        [plan, small] >> summary


#: The arguments that a sync's spec takes, and those of them that are a large window's extract's too.
_OF_SPEC = (
    "objects", "output_path", "exclude", "overrides", "deletes", "deletes_every", "refresh_formulas",
    "on_schema_change", "commit_lag", "file_format", "numbers", "compression", "rest_rows", "rest_cells", "threads",
    "max_failed_objects", "min_api_calls_left", "parallel_pages", "deferrable", "poll_interval", "timeout",
    "salesforce_conn_id", "api_version",
)  # fmt: skip
_OF_EXTRACT = (
    "commit_lag", "file_format", "numbers", "compression", "min_api_calls_left", "parallel_pages", "deferrable",
    "poll_interval", "timeout", "salesforce_conn_id", "api_version",
)  # fmt: skip


def _check_runs(group: TaskGroup) -> None:
    """See at parse time that no two runs of the DAG write to one root."""
    most = getattr(group.dag, "max_active_runs", None)
    if most != 1:
        raise ConfigurationError(
            {
                "max_active_runs": f"is {most} for Dag '{group.dag.dag_id}', and a sync needs 1: two runs at once "
                "would extract the same windows. Set DAG(..., max_active_runs=1)"
            },
            subject="the Dag",
        )


class _SyncOperator(BaseOperator):
    """A task of a sync's group.

    :param sync: the arguments of the group (templated).
    :param sync_group: the group's id.
    """

    template_fields: Sequence[str] = ("sync",)
    ui_color = "#d8edff"

    def __init__(self, *, sync: Mapping[str, Any], sync_group: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sync = sync
        self.sync_group = sync_group

    def execute(self, context: Context) -> Any:
        """Connect, and do the task's part of the sync.

        :param context: Airflow's.
        """
        from airflow_provider_sfjwt.hooks.lineage import HookLineage
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
        from airflow_provider_sfjwt.tasks.sync_task import SyncTask, spec_of

        with airflow_outcome(self, SYNC_ADVICE):
            spec = spec_of(self, context)
            hook = SalesforceJwtHook(spec.salesforce_conn_id, api_version=spec.api_version)
            with hook.connect() as org:
                return self.do(SyncTask(self, context, org, HookLineage(hook)))

    @abstractmethod
    def do(self, task: SyncTask) -> Any:
        """The task's part.

        :param task: one attempt of it.
        """


class SyncPlanOperator(_SyncOperator):
    """Takes the lease of the root, and finds the objects and the end of their windows."""

    def do(self, task: SyncTask) -> dict[str, Any]:
        """Plan the run.

        :param task: one attempt of it.
        """
        return task.plan()


class SyncSmallOperator(_SyncOperator):
    """Extracts the small windows, and returns what the large ones are left to."""

    def do(self, task: SyncTask) -> list[dict[str, Any]]:
        """Extract.

        :param task: one attempt of it.
        """
        return task.small()


class SyncSummaryOperator(_SyncOperator):
    """Sums up the run, and fails where too many objects failed."""

    def do(self, task: SyncTask) -> dict[str, Any]:
        """Sum up.

        :param task: one attempt of it.
        """
        return task.summary()


class SyncLargeOperator(SalesforceExtractOperator):
    """Extracts a large window of one object.

    :param chained: the place of the receipt in the object's chain.
    :param sync: the arguments of the group (templated).
    :param sync_group: the group's id.
    """

    template_fields: Sequence[str] = (*SalesforceExtractOperator.template_fields, "sync")

    def __init__(self, *, chained: Mapping[str, Any], sync: Mapping[str, Any], sync_group: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chained = chained
        self.sync = sync
        self.sync_group = sync_group

    def execute(self, context: Context) -> dict[str, Any]:
        """Extract the window, unless an earlier attempt has published it, and move the object's state on.

        :param context: Airflow's.
        """
        window = self._window(context)
        if window.published():
            return {"output_path": self.output_path, "already_published": True}
        result = super().execute(context)
        window.published()
        return result

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], submitted: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Publish the result of the job that the triggerer waited for, and move the object's state on.

        :param context: Airflow's.
        :param event: of the trigger.
        :param submitted: the job as it was submitted.
        """
        window = self._window(context)
        result = super().execute_complete(context, event, submitted)
        window.published()
        return result

    def _window(self, context: Context) -> LargeWindow:
        from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink
        from airflow_provider_sfjwt.tasks.sync_task import LargeWindow

        self.link = ChainLink.from_json(self.chained)
        with airflow_outcome(self, SYNC_ADVICE):
            return LargeWindow(self, context, self.sobject or "", self.link)
