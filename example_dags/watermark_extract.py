"""Every run extracts what changed since the last one, and a second DAG runs on what came.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, task

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

# [START watermark]
ACCOUNTS = Asset(uri="salesforce://salesforce_jwt_default/Account")

with DAG("salesforce_watermark_extract", schedule="@hourly", start_date=START, catchup=False, tags=["salesforce"]):
    SalesforceExtractOperator(
        task_id="changed_accounts",
        sobject="Account",
        incremental="watermark",
        inlets=[ACCOUNTS],  # the watermark is kept with it
        outlets=[AssetAlias("salesforce")],  # filled with the object that was published
        emit_empty=False,  # no event where nothing changed
        output_path=OUTPUT + "/watermark/accounts/run={{ dag_run.run_after | ts_nodash }}",
    )
# [END watermark]

# [START mapped]
OBJECTS = ["Account", "Contact"]

with DAG("salesforce_watermark_mapped", schedule="@hourly", start_date=START, catchup=False, tags=["salesforce"]):
    SalesforceExtractOperator.partial(
        task_id="changed",
        incremental="watermark",
        inlets=[Asset(uri=f"salesforce://salesforce_jwt_default/{sobject}") for sobject in OBJECTS],
        outlets=[AssetAlias("salesforce")],  # an event of each object that was published, and of no other
        emit_empty=False,
        output_path=OUTPUT + "/watermark/run={{ dag_run.run_after | ts_nodash }}/{{ ti.map_index }}",
    ).expand(sobject=OBJECTS)
# [END mapped]

# [START consumer]
with DAG("salesforce_on_changed_accounts", schedule=[ACCOUNTS], start_date=START, catchup=False, tags=["salesforce"]):

    @task
    def receipts(triggering_asset_events: Any) -> list[str]:
        return [event.extra["receipt"] for event in triggering_asset_events[ACCOUNTS]]

    receipts()
# [END consumer]
