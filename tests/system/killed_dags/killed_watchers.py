"""DAGs whose watchers are killed. Each run writes down which events started it."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from tests.system.mortal_watchers import FOLDER, mortal_asset

for mode in ("poll", "events"):
    with DAG(
        dag_id=f"killed_{mode}",
        schedule=mortal_asset(mode),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=1,
    ) as dag:

        @task
        def write_down(mode: str, triggering_asset_events: Any, run_id: str) -> None:
            events = [event for events in triggering_asset_events.values() for event in events]
            told = [{"at": event.timestamp.timestamp(), **event.extra["payload"]} for event in events]
            file = Path(os.environ[FOLDER]) / f"{mode}-{run_id}.json"
            draft = file.with_suffix(".draft")
            draft.write_text(json.dumps(told))
            draft.rename(file)

        write_down(mode)  # type: ignore  # Airflow gives it what the context has
    globals()[dag.dag_id] = dag
