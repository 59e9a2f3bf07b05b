"""Many objects in step: in a group, and mapped."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Asset, AssetAlias

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

ROOT, OBJECTS = os.environ["BENCH_ROOT"], os.environ["BENCH_OBJECTS"].split()
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("group", schedule=None, start_date=START, max_active_runs=1):
    SalesforceSyncGroup("salesforce", objects=OBJECTS, output_path=ROOT, commit_lag=0)

with DAG("mapped", schedule=None, start_date=START):
    SalesforceExtractOperator.partial(
        task_id="extract",
        incremental="watermark",
        commit_lag=0,
        inlets=[Asset(uri=f"salesforce://salesforce_jwt_default/{name}") for name in OBJECTS],
        outlets=[AssetAlias("salesforce")],
        output_path=ROOT + "/{{ run_id }}/{{ ti.map_index }}",
    ).expand(sobject=OBJECTS)
