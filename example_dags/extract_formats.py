"""Extracts as CSV and as JSON lines, of chosen fields and rows, and of several objects by one mapped task.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT. Unlike ``ds``, ``dag_run.run_after``
is there for every run: by schedule, by hand and on an asset event.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

with DAG(
    dag_id="salesforce_extract_formats",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "salesforce"],
):
    # [START csv]
    SalesforceExtractOperator(
        task_id="accounts_csv",
        sobject="Account",
        fields=["Id", "Name", "Industry", "Owner.Name"],
        where="Industry != null",
        output_path=OUTPUT + "/csv/accounts/ds={{ dag_run.run_after | ds }}",
        file_format="csv",
        compression="gzip",
    )
    # [END csv]

    # [START jsonl]
    SalesforceExtractOperator(
        task_id="contacts_jsonl",
        soql="SELECT Id, LastName, Account.Name FROM Contact WHERE AccountId != null",
        output_path=OUTPUT + "/jsonl/contacts/ds={{ dag_run.run_after | ds }}",
        file_format="jsonl",
    )
    # [END jsonl]

    # [START mapped]
    SalesforceExtractOperator.partial(
        task_id="small_objects",
        output_path=OUTPUT + "/mapped/ds={{ dag_run.run_after | ds }}/{{ ti.task_id }}/{{ ti.map_index }}",
    ).expand(sobject=["Lead", "Opportunity"])
    # [END mapped]
