"""Sensors that wait in the triggerer: for rows, for a count, and for a job that somebody else started.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and a triggerer.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.sensors.bulk_job import SalesforceBulkJobSensor
from airflow_provider_sfjwt.sensors.query import SalesforceQuerySensor

with DAG(
    dag_id="salesforce_sensors",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):
    # [START rows]
    a_german_account = SalesforceQuerySensor(
        task_id="a_german_account",
        soql="SELECT Id FROM Account WHERE BillingCountry = 'Germany'",
        deferrable=True,
        poke_interval=60,
        timeout=3600,
    )
    # [END rows]

    # [START count]
    ten_contacts = SalesforceQuerySensor(
        task_id="ten_contacts",
        soql="SELECT COUNT() FROM Contact WHERE CreatedDate >= LAST_N_DAYS:{{ params.days }}",
        at_least=10,
        params={"days": 3650},
        deferrable=True,
        soft_fail=True,  # skipped, and not failed, when the time is up
        timeout=3600,
    )
    # [END count]

    @task
    def start_a_job() -> str:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        job = {"operation": "query", "query": "SELECT Id FROM Account"}
        return SalesforceJwtHook().request("POST", "jobs/query", json=job)["id"]

    # [START job]
    SalesforceBulkJobSensor(task_id="its_end", job_id=start_a_job(), deferrable=True, timeout=3600)
    # [END job]
