"""One DAG for each feature, for ``dag.test()`` on every version of Airflow."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator

OUTPUT = os.environ["SFJWT_EXAMPLE_OUTPUT"]
ACCOUNTS = Asset(uri="salesforce://salesforce_jwt_default/Account")
ARGUMENTS: dict[str, Any] = {"schedule": None, "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc)}
EXTRACT: dict[str, Any] = {"sobject": "Account", "fields": ["Id", "Name"], "file_format": "csv", "poll_interval": 0.5}

with DAG("query", **ARGUMENTS):
    SalesforceQueryOperator(task_id="task", soql="SELECT Id FROM Account", max_rows=1000)

for name, deferrable in (("extract", False), ("deferrable", True)):
    with DAG(name, **ARGUMENTS):
        SalesforceExtractOperator(task_id="task", output_path=f"{OUTPUT}/{name}", deferrable=deferrable, **EXTRACT)

with DAG("watermark", **ARGUMENTS):
    SalesforceExtractOperator(
        task_id="task",
        output_path=OUTPUT + "/watermark/{{ run_id }}",
        incremental="watermark",
        commit_lag=0,
        inlets=[ACCOUNTS],
        deferrable=False,
        **EXTRACT,
    )

for name, deferrable in (("load", True), ("load_in_worker", False)):
    with DAG(name, **ARGUMENTS):
        SalesforceLoadOperator(
            task_id="task",
            sobject="Account",
            operation="insert",  # an upsert would hide rows that are sent twice
            source=[{"Name": f"Loaded {number}"} for number in range(500)],
            transport="bulk",
            deferrable=deferrable,
            poll_interval=0.5,
        )
