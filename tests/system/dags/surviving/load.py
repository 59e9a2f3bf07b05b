"""A load that is killed, cleared and marked while it runs: once deferred, once in the worker."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

FOLDER = os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/{{ dag_run.conf['conn_id'] }}"

for dag_id, deferrable in (("load_deferred", True), ("load_in_worker", False)):
    with DAG(dag_id=dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
        SalesforceLoadOperator(
            task_id="load",
            sobject="Invoice__c",
            operation="insert",  # an upsert would hide rows that are sent twice
            source=FOLDER + "/*.parquet",
            results_path=FOLDER + "/results",
            salesforce_conn_id="{{ dag_run.conf['conn_id'] }}",
            parallel_jobs=1,
            transport="bulk",
            poll_interval=1,
            deferrable=deferrable,
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
