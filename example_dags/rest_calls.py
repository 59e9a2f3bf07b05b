"""Calls of REST resources and of an Apex REST method.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and an Apex REST class at ``/invoices/v1/*``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.rest import SalesforceApexRestOperator, SalesforceRestOperator

with DAG(
    dag_id="salesforce_rest_calls",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):
    # [START get]
    calls_left = SalesforceRestOperator(
        task_id="calls_left",
        path="limits",
        response_filter=lambda limits: limits["DailyApiRequests"]["Remaining"],
        response_check=lambda limits: limits["DailyApiRequests"]["Remaining"] > 100,
    )
    # [END get]

    # [START post]
    new_accounts = SalesforceRestOperator(
        task_id="new_accounts",
        path="composite/sobjects",
        method="POST",
        payload={
            "allOrNone": True,
            "records": [
                {"attributes": {"type": "Account"}, "Name": "Acme {{ run_id }}"},
                {"attributes": {"type": "Account"}, "Name": "Globex {{ run_id }}"},
            ],
        },
    )
    # [END post]

    # [START apex]
    book = SalesforceApexRestOperator(
        task_id="book",
        path="invoices/v1/{{ run_id | urlencode }}",  # /services/apexrest/invoices/v1/…
        method="PUT",
        payload='{"accounts": {{ ti.xcom_pull(task_ids="new_accounts") | map(attribute="id") | list | tojson }}}',
        idempotent=True,  # the class books an invoice once, however often it is sent
        response_check=lambda answer: answer["booked"],
    )
    # [END apex]

    calls_left >> new_accounts >> book
