"""What changed in Salesforce since the last run, merged into a table of PostgreSQL, DuckDB or SQLite.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and ``warehouse``, of the type ``postgres``,
``duckdb`` or ``sqlite``.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.tables import merge
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator

RUN = "{{ dag_run.run_after | ts_nodash }}"
OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce") + "/to_sql/run=" + RUN
WAREHOUSE = "warehouse"

with DAG(
    "salesforce_extract_to_postgres",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):
    # [START merge]
    accounts = SalesforceExtractOperator(
        task_id="accounts",
        sobject="Account",
        incremental="watermark",
        include_deleted=True,  # so that rows that are deleted in Salesforce leave the table
        inlets=[Asset(uri="salesforce://salesforce_jwt_default/Account")],
        output_path=OUTPUT + "/accounts",
    )
    SalesforceToSqlOperator(
        task_id="merge_accounts",
        source=accounts.output,
        sql_conn_id=WAREHOUSE,
        table="accounts",
        naming="snake",
        retries=3,  # a receipt that was merged counts once
    )
    # [END merge]

    # [START in_task]
    @task
    def merge_contacts(extract: dict[str, Any]) -> int:
        report = merge(extract, sql_conn_id=WAREHOUSE, table="contacts", columns=["Id", "LastName", "Email"])
        return report.inserted + report.updated

    contacts = SalesforceExtractOperator(task_id="contacts", sobject="Contact", output_path=OUTPUT + "/contacts")
    merge_contacts(contacts.output)
    # [END in_task]
