"""Ten objects in step, for ``make demo-sync``: the example's group, without waiting for late commits."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

with DAG("demo_sync", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_runs=1):
    SalesforceSyncGroup(
        "salesforce",
        objects=["Account", "Contact", "Opportunity", "*__c"],
        output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"],
        commit_lag=0,
        rest_rows=1_000,  # so that the first window of the accounts is a large one
        deferrable=True,
        poll_interval=5,
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    )
