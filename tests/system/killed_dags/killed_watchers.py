"""DAGs whose watchers are killed. Each run writes down the window that an extract would read."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.assets import changed_window
from tests.system.mortal_watchers import FOLDER, mortal_asset

for mode in ("poll", "events"):
    watched = mortal_asset(mode)
    with DAG(
        dag_id=f"killed_{mode}",
        schedule=watched,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=1,
    ) as dag:

        @task(inlets=[watched])
        def write_down(mode: str, triggering_asset_events: Any, inlet_events: Any, run_id: str) -> None:
            window = changed_window(triggering_asset_events, inlet_events)
            events = [event for events in triggering_asset_events.values() for event in events]
            records = [event.extra["payload"]["record_ids"] for event in events]
            file = Path(os.environ[FOLDER]) / f"{mode}-{run_id}.json"
            draft = file.with_suffix(".draft")
            draft.write_text(json.dumps({"at": time.time(), "window": window, "record_ids": records}))
            draft.rename(file)

        write_down(mode)  # type: ignore  # Airflow gives it what the context has
    globals()[dag.dag_id] = dag
