"""Where the pages are that a task leads to: its report in Airflow's UI, its job in Salesforce Setup."""

from __future__ import annotations

from urllib.parse import quote

#: Where Airflow's API server mounts the pages of this package.
PAGES = "/salesforce-jwt"


def report_path(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The path of a task instance's report, below that of Airflow's UI.

    :param dag_id: of the DAG.
    :param run_id: of the DAG run.
    :param task_id: of the task.
    :param map_index: -1 for a task that is not mapped.
    """
    names = "/".join(quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"{PAGES}/report/{names}/{map_index}"


def job_page(instance_url: str, job_id: str) -> str:
    """The page of a job of Bulk API 2.0 in Salesforce Setup.

    :param instance_url: of the org.
    :param job_id: the job.
    """
    return f"{instance_url}/lightning/setup/AsyncApiJobStatus/page?address={quote('/' + job_id, safe='')}"
