"""A DAG that starts when accounts have changed, and extracts what changed.

Needs Airflow 3.3, a triggerer, and a connection ``salesforce_jwt_default`` of the type Salesforce JWT. Where several
DAG files use the asset, it stands in a module of its own that all of them import.
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
CHANGED_ACCOUNTS = salesforce_asset("Account", poll_interval=60)
# [END asset]

# [START consumer]
with DAG(
    dag_id="salesforce_watched_accounts",
    schedule=CHANGED_ACCOUNTS,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):

    @task(inlets=[CHANGED_ACCOUNTS])
    def window(triggering_asset_events: Any, inlet_events: Any) -> tuple[str, str] | None:
        return changed_window(triggering_asset_events, inlet_events)

    SalesforceExtractOperator(
        task_id="changed_accounts",
        sobject="Account",
        window=window(),
        include_deleted=True,
        output_path=OUTPUT + "/watched/accounts/run={{ dag_run.run_after | ts_nodash }}",
    )
# [END consumer]
