"""The links from a task to its report and to its job in Salesforce Setup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

from airflow_provider_sfjwt.compat import conf
from airflow_provider_sfjwt.tasks.addresses import job_page, report_path


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
        operator.job_url = job_page(instance_url, job_id)
        task_instance = context.get("ti")
        if task_instance is not None:
            task_instance.xcom_push(key=self.xcom_key, value=operator.job_url)


class SalesforceReportLink(BaseOperatorLink):
    """Leads to the report of the task instance, a page in Airflow's own UI."""

    name = "Salesforce report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The link, below the path of ``[api] base_url``.

        :param operator: the operator that ran.
        :param ti_key: of the task instance.
        """
        base = urlsplit(str(conf.get("api", "base_url", fallback="/"))).path.rstrip("/")
        return base + report_path(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)
