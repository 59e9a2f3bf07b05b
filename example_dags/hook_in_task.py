"""The hook in tasks of your own: a query, a client that you know, an extract, and a load.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

with DAG(
    dag_id="salesforce_hook_in_task",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):
    # [START query]
    @task
    def contacts_without_email() -> list[str]:
        hook = SalesforceJwtHook()
        return [row["Id"] for row in hook.query("SELECT Id FROM Contact WHERE Email = null")]

    # [END query]

    # [START get_conn]
    @task
    def newest_account() -> str:
        client = SalesforceJwtHook().get_conn()
        answer = client.query("SELECT Id, Name FROM Account ORDER BY CreatedDate DESC, Id DESC LIMIT 1")
        return answer["records"][0]["Name"]

    # [END get_conn]

    # [START extract]
    @task
    def extract_contacts(folder: str) -> int:
        hook = SalesforceJwtHook()
        receipt = hook.extract(sobject="Contact", fields=["Id", "LastName", "Account.Name"], output_path=folder)
        return receipt.records

    # [END extract]

    # [START load]
    @task
    def lower_emails() -> int:
        hook, soql = SalesforceJwtHook(), "SELECT Id, Email FROM Contact WHERE Email != null LIMIT 200"
        rows = [{"Id": row["Id"], "Email": row["Email"].lower()} for row in hook.query(soql)]
        return hook.load(sobject="Contact", operation="update", source=rows).counts["succeeded"]

    # [END load]

    contacts_without_email()
    newest_account()
    extract_contacts(OUTPUT + "/hook/contacts") >> lower_emails()
