"""A sensor that waits for a Bulk API 2.0 job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.sensors.org_sensor import OrgSensor

if TYPE_CHECKING:
    from airflow_provider_sfjwt.hooks.awaited_job import AwaitedJob
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

__all__ = ["SalesforceBulkJobSensor"]


class SalesforceBulkJobSensor(OrgSensor):
    """Waits until a Bulk API 2.0 job that somebody else started has ended.

    It fails for good when the job failed or was aborted. It never aborts the job, not even when the task is killed. Its
    result is what Salesforce says of the job: ``id``, ``object``, ``operation``, ``state`` and the counts.

    :param job_id: the job (templated), e.g. ``7505e0000000001AAA``.
    :param job_type: ``query`` or ``ingest``.
    :param deferrable: whether the triggerer waits, without a worker slot and with one sign-in for all sensors. None:
        what ``[operators] default_deferrable`` says.
    :param start_from_trigger: whether the scheduler gives the task to the triggerer at once, without a worker; from
        Airflow 3.3 on. It is for many sensors that start at once: see the documentation for what does not work then.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0`` (templated); None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = ("job_id", "salesforce_conn_id", "api_version")
    ui_color = "#d8edff"
    trigger_path = "airflow_provider_sfjwt.triggers.bulk_job.SalesforceBulkJobTrigger"

    def __init__(
        self,
        *,
        job_id: str,
        job_type: str = "query",
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            salesforce_conn_id=salesforce_conn_id,
            api_version=api_version,
            deferrable=deferrable,
            start_from_trigger=start_from_trigger,
            **kwargs,
        )
        self.job_id = job_id
        self.job_type = job_type
        self.prepare_start_from_trigger()

    @property
    def spec(self) -> AwaitedJob:
        """The job."""
        from airflow_provider_sfjwt.hooks.awaited_job import AwaitedJob

        return AwaitedJob.of(self)

    def trigger_arguments(self) -> dict[str, Any]:
        """The job, and how to wait for it."""
        return {
            "salesforce_conn_id": self.salesforce_conn_id,
            "job_id": self.job_id,
            "api_version": self.api_version,
            "job_type": self.job_type,
            "poll_interval": self.poke_interval,
            "abort_on_kill": False,
        }

    def look(self, org: ConnectedOrg) -> dict[str, Any] | None:
        """Look at the job once.

        :param org: where it runs.
        :return: what Salesforce says of it, or None while it has not ended.
        """
        return org.run(self.spec.ended)

    def result(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What Salesforce says of the job.

        :param event: what the trigger fired.
        """
        return self.spec.outcome(event["job"])
