"""The tasks of :class:`~airflow_provider_sfjwt.operators.sync.SalesforcePartitionedExtract`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.tasks.aborting import abort_each
from airflow_provider_sfjwt.tasks.errors import EXTRACT_ADVICE, SHARE_ADVICE, airflow_outcome
from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.reporting import reporting

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.tasks.lineage.moved import Lineage
    from airflow_provider_sfjwt.tasks.report.reporting import Draft
    from airflow_provider_sfjwt.tasks.shared_extract import PlanTask


class PlanSharesOperator(SalesforceExtractOperator):
    """Creates the job, waits for it, and shares its pages.

    :param group: the id of the task group.
    :param shares: how many tasks fetch pages.
    :param created: start and end of ``CreatedDate`` in ISO 8601, None on either side for no limit; None for all rows.
    """

    def __init__(
        self, *, group: str, shares: int = 8, created: Sequence[str | None] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.shares = shares
        self.created = created
        self.planned: PlanTask | None = None

    def execute(self, context: Context) -> Any:
        """Create the job, or resume that of an earlier attempt, and wait for it.

        :param context: Airflow's.
        :return: the shares, ``job_id`` and ``pages`` of each.
        """
        from airflow_provider_sfjwt.tasks.shared_extract import SharedSpec

        with airflow_outcome(self, EXTRACT_ADVICE), self._reporting(context):
            SharedSpec.of(self).check()
        super().execute(context)
        return self._shares()

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], submitted: Mapping[str, Any] | None = None
    ) -> Any:
        """Share the pages of the job that the triggerer waited for.

        :param context: Airflow's.
        :param event: of the trigger.
        :param submitted: the job as it was submitted.
        :return: as :meth:`execute`.
        """
        super().execute_complete(context, event, submitted)
        return self._shares()

    def attempt(self, context: Context, org: ConnectedOrg, draft: Draft) -> PlanTask:
        """One attempt of the task.

        :param context: Airflow's.
        :param org: where from.
        :param draft: of the task's report.
        """
        from airflow_provider_sfjwt.tasks.shared_extract import PlanTask

        self.planned = PlanTask(self, context, org, draft)
        return self.planned

    def lineage(self) -> Lineage:
        """Nothing: the task that publishes reports what goes where."""
        from airflow_provider_sfjwt.tasks.lineage.moved import Lineage

        return Lineage()

    def _reporting(self, context: Context) -> AbstractContextManager[Draft]:
        return reporting(self, context, "extract", on_success=False)  # the task that publishes has rows to report

    def _shares(self) -> list[dict[str, Any]]:
        return self.planned.shares if self.planned is not None else []


class _SharedOperator(BaseOperator):
    """A task of the group that knows all arguments of the extract.

    :param extract: the arguments, by their names (templated).
    :param group: the id of the task group.
    """

    template_fields: Sequence[str] = ("extract",)
    ui_color = "#d8edff"

    def __init__(self, *, extract: Mapping[str, Any], group: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extract = extract
        self.group = group

    @property
    def output_path(self) -> str:
        """The folder of the data set, for the report and the lineage."""
        return str(self.extract["output_path"])

    @property
    def sobject(self) -> str | None:
        """The object, for the report and the lineage."""
        return self.extract.get("sobject")

    @property
    def soql(self) -> str | None:
        """The query, for the report and the lineage."""
        return self.extract.get("soql")

    @property
    def salesforce_conn_id(self) -> str:
        """The connection."""
        return str(self.extract["salesforce_conn_id"])

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.extract.get("api_version"))


class FetchShareOperator(_SharedOperator):
    """Fetches some pages of a job.

    :param share: ``job_id``, and place and locator of each of its ``pages``.
    """

    def __init__(self, *, share: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch the pages that no earlier attempt finished.

        :param context: Airflow's.
        :return: how many ``pages``, ``records`` and ``bytes`` there are.
        """
        from airflow_provider_sfjwt.tasks.shared_extract import ShareTask

        with (
            airflow_outcome(self, SHARE_ADVICE),
            reporting(self, context, "extract", on_success=False) as draft,
            self._hook().connect() as org,
        ):
            draft.org = org
            return ShareTask(self, context, org).fetch(self.share)


class CommitSharesOperator(LineageOperator, _SharedOperator):
    """Proves that all pages of all jobs are there, and publishes them.

    :param planned: the shares of each job.
    """

    template_fields: Sequence[str] = (*_SharedOperator.template_fields, "planned")
    operator_extra_links = (SalesforceReportLink(),)

    def __init__(self, *, planned: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish.

        :param context: Airflow's.
        :return: ``receipt``, ``output_path``, ``records``, ``job_id`` (None for several jobs) and ``window``.
        """
        from airflow_provider_sfjwt.tasks.shared_extract import CommitTask

        with (
            airflow_outcome(self, EXTRACT_ADVICE),
            reporting(self, context, "extract") as draft,
            self._hook().connect() as org,
        ):
            return CommitTask(self, context, org, draft).publish([shares[0]["job_id"] for shares in self.planned])

    def lineage(self) -> Lineage:
        """The object goes into the folder."""
        from airflow_provider_sfjwt.tasks.lineage.moved import extract_lineage

        return extract_lineage(self._hook(), self)


class AbortJobsOperator(_SharedOperator):
    """Aborts jobs whose plans are lost for good. Where all plans have ended well, it asks Salesforce nothing.

    :param plans: the ids of the tasks that plan.
    """

    def __init__(self, *, plans: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plans = plans

    def execute(self, context: Context) -> list[str]:
        """Abort what still runs.

        :param context: Airflow's.
        :return: the ids of the jobs that were to be aborted.
        """
        from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
        from airflow_provider_sfjwt.tasks.shared_extract import RUNNING_JOB

        named = [context["ti"].xcom_pull(task_ids=plan, key=RUNNING_JOB) for plan in self.plans]
        refs = [JobRef(job["job_id"], job["api_version"]) for job in named if job]
        if refs:
            abort_each(self._hook(), refs, self.log)
        return [ref.id for ref in refs]
