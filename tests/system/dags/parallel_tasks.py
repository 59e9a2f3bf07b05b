"""Tasks that share a connection and run at the same time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook


@task
def numbers() -> list[int]:
    """As many as the run says."""
    run = get_current_context()["dag_run"]
    return list(range(int((run.conf or {})["tasks"])))


@task(retries=1, retry_delay=timedelta(seconds=1))
def count(number: int) -> int:
    """Rows of several queries, one page after the other, so that other tasks sign in meanwhile."""
    hook = SalesforceJwtHook()
    return sum(1 for _ in range(3) for _ in hook.query("SELECT Id FROM Account"))


with DAG(
    dag_id="parallel_tasks", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=32
):
    count.expand(number=numbers())
