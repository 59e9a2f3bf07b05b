"""The link from a task to its job in Salesforce Setup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink


class SalesforceJobLink(BaseOperatorLink):
    """Leads to the job's page under Setup → Bulk Data Load Jobs.

    https://help.salesforce.com/s/articleView?id=xcloud.monitoring_async_api_jobs.htm
    """

    name = "Salesforce job"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The link. Airflow asks for it in the worker, at the end of every attempt and when a task defers.

        :param operator: the operator that ran.
        :param ti_key: of the task instance.
        :return: the URL, or an empty text where there is no job.
        """
        return str(getattr(operator, "job_url", ""))

    def show(self, operator: Any, context: Mapping[str, Any], instance_url: str, job_id: str) -> None:
        """Show the link from now on, while the task still runs.

        :param operator: the operator that runs.
        :param context: Airflow's. Without a task instance (as in a unit test) nothing is pushed.
        :param instance_url: of the org.
        :param job_id: the job.
        """
        operator.job_url = (
            f"{instance_url}/lightning/setup/AsyncApiJobStatus/page?address={quote('/' + job_id, safe='')}"
        )
        task_instance = context.get("ti")
        if task_instance is not None:
            task_instance.xcom_push(key=self.xcom_key, value=operator.job_url)
