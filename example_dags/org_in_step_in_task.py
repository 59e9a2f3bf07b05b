"""Many objects in step, in a task of one's own.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

with DAG(
    "salesforce_objects_in_step",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):
    # [START hook]
    @task(retries=2)
    def in_step() -> dict[str, str]:
        report = SalesforceJwtHook().sync(["Account", "Contact", "Opportunity"], OUTPUT + "/objects")
        return report.receipts  # where each object's new rows are

    in_step()
    # [END hook]
