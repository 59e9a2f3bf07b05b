"""A DAG that starts when Salesforce sends change events of contacts, and extracts what changed.

Needs Airflow 3.3, a triggerer, the extra ``events`` (pip install 'airflow-provider-sfjwt[events]'), and a connection
``salesforce_jwt_default`` of the type Salesforce JWT. Contact is selected in Setup → Change Data Capture.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.assets import changed_window, salesforce_asset
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START asset]
CONTACT_EVENTS = salesforce_asset("Contact", mode="events")
# [END asset]

with DAG(
    dag_id="salesforce_change_events",
    schedule=CONTACT_EVENTS,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):

    @task(inlets=[CONTACT_EVENTS])
    def window(triggering_asset_events: Any, inlet_events: Any) -> tuple[str, str] | None:
        return changed_window(triggering_asset_events, inlet_events)

    SalesforceExtractOperator(
        task_id="changed_contacts",
        sobject="Contact",
        window=window(),
        include_deleted=True,
        output_path=OUTPUT + "/events/contacts/run={{ dag_run.run_after | ts_nodash }}",
    )
