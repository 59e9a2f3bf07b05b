"""Syncs that are killed or marked while they run, each by a Dag of its own, since one Dag has one run at once."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

for name in ("small_killed_sync", "large_marked_failed_sync", "worker_lost_sync"):
    with DAG(dag_id=name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_runs=1):
        SalesforceSyncGroup(
            "sync",
            objects=["Account", "Contact", "Lead"],
            output_path=f"{os.environ['SFJWT_EXAMPLE_OUTPUT']}/{name}",
            overrides={each: {"fields": ["Id", "Name"]} for each in ("Account", "Contact", "Lead")},
            salesforce_conn_id=name,
            commit_lag=0,
            rest_rows=300,  # so that the first window of the accounts is a large one
            threads=1,
            poll_interval=1,
            deferrable=True,
            # Of two schedulers that activate the same new asset at once, Airflow 3.3.2 ends one (asset_active_pkey).
            asset_alias=None,
            default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
        )
