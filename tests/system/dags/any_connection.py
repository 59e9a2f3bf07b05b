"""An extract over the connection that the run names."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

with DAG(dag_id="any_connection", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    SalesforceExtractOperator(
        task_id="extract",
        sobject="Account",
        fields=["Id", "Name"],
        salesforce_conn_id="{{ dag_run.conf['conn_id'] }}",
        output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/any_connection/{{ run_id }}",
        file_format="csv",
        poll_interval=1,
        deferrable=True,
    )
