"""A large extract that spares the workers and the org, a small one over REST, and a task that reads what came.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("salesforce_sparing_extract", schedule="@weekly", start_date=START, catchup=False, tags=["salesforce"]):
    # [START sparing]
    opportunities = SalesforceExtractOperator(
        task_id="opportunities",
        sobject="Opportunity",
        output_path=OUTPUT + "/sparing/opportunities/ds={{ dag_run.run_after | ds }}",
        deferrable=True,  # no worker waits while Salesforce works
        min_api_calls_left=1_000,  # the org's other users come first
        parallel_pages=8,
        retries=3,  # a retry takes the same job and fetches the pages that are missing
        retry_delay=timedelta(minutes=10),
    )
    # [END sparing]

    # [START rest]
    SalesforceExtractOperator(
        task_id="case_statuses",
        sobject="CaseStatus",  # one of the objects that Bulk API 2.0 does not offer
        transport="rest",  # "auto", the default, would find that out with one call more
        output_path=OUTPUT + "/sparing/case_statuses/ds={{ dag_run.run_after | ds }}",
        file_format="jsonl",
    )
    # [END rest]

    # [START read]
    @task
    def amount_by_stage(extract: dict[str, Any]) -> dict[str, str]:
        import pyarrow.dataset as ds

        receipt = SalesforceJwtHook().read_receipt(extract["output_path"])
        folder = ObjectStoragePath(extract["output_path"])
        parts = [f"{folder.path}/{part.name}" for part in receipt.parts]
        table = ds.dataset(parts, format="parquet", filesystem=folder.fs).to_table(["StageName", "Amount"])
        sums = table.group_by("StageName").aggregate([("Amount", "sum")])
        return {row["StageName"]: str(row["Amount_sum"]) for row in sums.to_pylist()}

    amount_by_stage(opportunities.output)
    # [END read]
