"""One big object over many workers, and the first load of a very big one, in several jobs.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and storage that all workers share.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, AssetAlias

from airflow_provider_sfjwt.operators.sync import SalesforcePartitionedExtract

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

with DAG(
    "salesforce_big_object",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "salesforce"],
):
    # [START partitioned]
    SalesforcePartitionedExtract(
        "opportunities",
        sobject="Opportunity",
        output_path=OUTPUT + "/big/opportunities/run={{ dag_run.run_after | ts_nodash }}",
        shares=8,  # tasks; each fetches parallel_pages at once
        outlets=[AssetAlias("salesforce")],
        default_args={"retries": 3},
    )
    # [END partitioned]

# [START ranges]
with DAG(
    "salesforce_first_load",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    tags=["example", "salesforce"],
):
    SalesforcePartitionedExtract(
        "contacts",
        sobject="Contact",
        window=("1999-01-01T00:00:00Z", "{{ dag_run.run_after | ts }}"),  # what changes later, the next window has
        ranges=["2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z"],  # of CreatedDate: three jobs
        output_path=OUTPUT + "/big/contacts/run={{ dag_run.run_after | ts_nodash }}",
        default_args={"retries": 3},
    )
# [END ranges]
