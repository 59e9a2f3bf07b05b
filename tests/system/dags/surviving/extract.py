"""An extract that is killed, cleared and marked while it runs: once deferred, once in the worker."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

for dag_id, deferrable in (("extract_deferred", True), ("extract_in_worker", False)):
    with DAG(dag_id=dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
        SalesforceExtractOperator(
            task_id="extract",
            sobject="Account",
            fields=["Id", "Name"],
            salesforce_conn_id="{{ dag_run.conf['conn_id'] }}",
            output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/{{ dag_run.conf['conn_id'] }}",
            poll_interval=1,
            deferrable=deferrable,
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
