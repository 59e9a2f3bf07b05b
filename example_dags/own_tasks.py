"""The hook in tasks of your own: queries that run at once, and a sensor that waits for a record.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and Airflow 3.2 for the asynchronous task.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

from airflow.sdk import DAG, PokeReturnValue, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.query import first_page

OBJECTS = ["Account", "Contact", "Lead", "Opportunity"]

with DAG(
    dag_id="salesforce_own_tasks",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):
    # [START at_once]
    @task
    async def rows_of_each() -> dict[str, int]:
        queries = [f"SELECT COUNT() FROM {name}" for name in OBJECTS]
        async with SalesforceJwtHook().aconnect() as org:
            pages = await asyncio.gather(*(org.run(first_page, soql) for soql in queries))
        return {name: page.total_size for name, page in zip(OBJECTS, pages, strict=True)}

    # [END at_once]

    # [START sensor]
    @task.sensor(poke_interval=60, timeout=3600, mode="reschedule")
    def an_account_in(country: str) -> PokeReturnValue:
        from simple_salesforce import format_soql

        soql = format_soql("SELECT Id FROM Account WHERE BillingCountry = {} LIMIT 1", country)
        found = next(SalesforceJwtHook().query(soql), None)
        return PokeReturnValue(is_done=found is not None, xcom_value=found and found["Id"])

    # [END sensor]

    @task
    def name_of(account: str) -> str:
        return SalesforceJwtHook().record("Account", account, ["Name"])["Name"]

    rows_of_each() >> name_of(an_account_in("Germany"))
