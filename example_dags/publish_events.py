"""Platform events that a DAG publishes, with ids by which subscribers drop what they have seen.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and a platform event ``Order_Shipped__e`` with
the text fields ``Order_Number__c`` and ``Message_Id__c`` (36 characters).
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.operators.publish import SalesforcePublishOperator

with DAG(
    dag_id="salesforce_publish_events",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):

    @task
    def shipped_orders() -> list[dict[str, Any]]:
        return [{"Order_Number__c": number} for number in ("A-1001", "A-1002")]

    # [START publish]
    published = SalesforcePublishOperator(
        task_id="publish",
        event="Order_Shipped__e",
        events=shipped_orders(),
        id_field="Message_Id__c",
        retries=3,
    )
    # [END publish]

    # [START results]
    @task
    def uuids(results: list[dict[str, Any]]) -> list[str]:
        return [each["uuid"] for each in results]

    uuids(published.output)
    # [END results]
