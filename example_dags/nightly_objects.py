"""Many objects every night, each into a table of its own, without the rows that were deleted.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and ``warehouse``, of the type ``postgres``,
``duckdb`` or ``sqlite``.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, task

from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.tables import merge

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START nightly]
OBJECTS = ["Account", "Contact", "Lead", "Opportunity"]  # and forty more
ROOT = OUTPUT + "/nightly"

with DAG(
    "salesforce_nightly_objects",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
) as dag:
    SalesforceSyncGroup(
        "salesforce",
        objects=OBJECTS,
        output_path=ROOT,
        deletes="replicated",  # also those that are no longer in the recycle bin
        deletes_every=43_200,  # seconds; in each nightly run
        refresh_formulas=43_200,  # the same for formula fields, which change without their rows
        default_args={"retries": 3},
    )

    @task(retries=3, trigger_rule="all_done", max_active_tis_per_dagrun=8)
    def into_table(sobject: str) -> int:
        receipts = [each.receipt for each in read_sync(ROOT, sobject)]  # those that are merged already count once
        return merge(receipts, sql_conn_id="warehouse", table=sobject, naming="snake").staged

    # After the extracts, and beside the group's summary: an object that fails makes the run red, and stops no other.
    [dag.get_task("salesforce.small"), dag.get_task("salesforce.large")] >> into_table.expand(sobject=OBJECTS)
# [END nightly]
