"""Ten sensors that Airflow's scheduler gives to the triggerer, and a task that needs a worker meanwhile."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

from airflow_provider_sfjwt.sensors.query import SalesforceQuerySensor

START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG(dag_id="many_sensors", schedule=None, start_date=START, max_active_runs=20):
    for number in range(10):
        SalesforceQuerySensor(
            task_id=f"sensor_{number}",
            soql=f"SELECT Id FROM Task WHERE Subject != '{number}'",
            poke_interval=60,
            timeout=1800,
            start_from_trigger=True,
        )

with DAG(dag_id="beside_sensors", schedule=None, start_date=START):

    @task
    def works() -> int:
        return 1

    works() >> EmptyOperator(task_id="end")
