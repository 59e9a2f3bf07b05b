"""Watched assets, each made once, and the DAG that starts when one has changed.

The versions of the API tell their streams apart in what the org has seen.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.assets import salesforce_asset

CASES = salesforce_asset("Case", poll_interval=5, api_version="64.0")
OPPORTUNITIES = salesforce_asset("Opportunity", poll_interval=5, api_version="65.0")


def consumer(dag_id: str, schedule: Any) -> DAG:
    """A DAG whose only task returns what it was started for.

    :param dag_id: its id.
    :param schedule: an asset.
    """
    with DAG(
        dag_id=dag_id, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False
    ) as dag:

        @task
        def payloads(triggering_asset_events: Any) -> list[dict[str, Any]]:
            return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]

        payloads()  # type: ignore  # Airflow gives it what the context has
    return dag
