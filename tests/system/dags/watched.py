"""A DAG that starts when contacts have changed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.assets import salesforce_asset

with DAG(
    dag_id="on_changed_contacts",
    schedule=salesforce_asset("Contact", "salesforce_polled", poll_interval=5),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
):

    @task
    def payloads(triggering_asset_events: Any) -> list[dict[str, Any]]:
        return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]

    payloads()  # type: ignore  # Airflow gives it what the context has
