"""What changed in many objects, one instance of a mapped task for each."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Asset, AssetAlias

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OBJECTS = os.environ["SFJWT_TEST_OBJECTS"].split()

with DAG("mapped_objects", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    SalesforceExtractOperator.partial(
        task_id="changed",
        fields=["Id", "Name"],
        file_format="csv",
        transport="rest",
        incremental="watermark",
        inlets=[Asset(uri=f"salesforce://salesforce_jwt_default/{sobject}") for sobject in OBJECTS],
        outlets=[AssetAlias("salesforce")],
        output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/{{ run_id }}/{{ ti.map_index }}",
    ).expand(sobject=OBJECTS)
