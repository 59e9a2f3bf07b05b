"""A query whose rows become a task's result, and a task that uses them.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator

with DAG(
    dag_id="salesforce_query_to_xcom",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "salesforce"],
):
    # [START query]
    by_stage = SalesforceQueryOperator(
        task_id="by_stage",
        soql="SELECT StageName, COUNT(Id) opportunities FROM Opportunity GROUP BY StageName",
        max_rows=100,
    )
    # [END query]

    # [START use_rows]
    @task
    def busiest_stage(rows: list[dict[str, Any]]) -> str:
        return max(rows, key=lambda row: row["opportunities"])["StageName"]

    busiest_stage(by_stage.output)
    # [END use_rows]
