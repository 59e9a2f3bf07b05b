"""Many objects in step, in one group."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

with DAG(
    os.environ.get("SFJWT_TEST_DAG", "synced_objects"),
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    max_active_runs=1,
):
    SalesforceSyncGroup(
        group_id="salesforce",
        objects=os.environ["SFJWT_TEST_OBJECTS"].split(),
        output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/salesforce",
        commit_lag=0,
        rest_rows=50,
        poll_interval=0.05,
        default_args={"retries": 1, "retry_delay": timedelta(seconds=0)},
    )
