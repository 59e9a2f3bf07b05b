"""Tasks whose reports are looked at: complete, with losses, failed, and mapped over three objects of which one is misspelt."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

FOLDER = os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/reports/{{ ti.task_id }}"
WINDOW = (
    "{{ (dag_run.run_after - macros.timedelta(hours=48)).isoformat() }}",
    "{{ dag_run.run_after.isoformat() }}",
)
#: Every tenth row has the number of a ticket that is there, every twenty-fifth breaks a validation rule of the org.
TICKETS = [
    {"Stage__c": "unknown" if row % 25 == 7 else "open", "Number__c": "taken" if row % 10 == 3 else None}
    for row in range(500)
]

with DAG("salesforce_reports", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=4):
    SalesforceExtractOperator(
        task_id="extract_accounts",
        sobject="Account",
        window=WINDOW,
        commit_lag=0,
        output_path=FOLDER,
        transport="bulk",
        parallel_pages=2,
        deferrable=False,
        poll_interval=0.2,
    )
    SalesforceLoadOperator(
        task_id="load_tickets",
        sobject="Ticket__c",
        operation="insert",
        source=TICKETS,
        results_path=FOLDER,
        transport="bulk",
        deferrable=False,
        poll_interval=0.2,
    )
    SalesforceExtractOperator(
        task_id="extract_misspelt",
        sobject="Account",
        fields=["Id", "Name"],
        where="Industri = 'Banking'",
        output_path=FOLDER,
        deferrable=False,
    )
    SalesforceExtractOperator.partial(
        task_id="extract_each",
        fields=["Id", "SystemModstamp"],
        output_path=FOLDER + "/{{ ti.map_index }}",
        deferrable=False,
    ).expand(sobject=["Account", "Ticket__c", "Invoice"])
