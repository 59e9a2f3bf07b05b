"""What changed in Salesforce since the last run, merged into a Delta table on S3 or local files.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and the extra ``delta``.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Asset

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce") + "/to_delta"
TABLE = OUTPUT + "/tables/account"

with DAG(
    "salesforce_extract_to_delta",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):
    accounts = SalesforceExtractOperator(
        task_id="accounts",
        sobject="Account",
        incremental="watermark",
        include_deleted=True,  # so that rows that are deleted in Salesforce leave the table
        inlets=[Asset(uri="salesforce://salesforce_jwt_default/Account")],
        output_path=OUTPUT + "/accounts/run={{ dag_run.run_after | ts_nodash }}",
    )
    # [START delta]
    SalesforceToDeltaOperator(
        task_id="merge_accounts",
        source=accounts.output,
        table_uri=TABLE,  # e.g. s3://conn_id@bucket/tables/accounts
        retries=3,  # a receipt that was merged counts once
    )
    # [END delta]
