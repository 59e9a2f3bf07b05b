"""Many objects every night, each into a table of its own, with the rows that were deleted.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and ``warehouse``, of the type ``postgres``,
``duckdb`` or ``sqlite``.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Asset, AssetAlias, task_group

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START nightly]
OBJECTS = ["Account", "Contact", "Lead", "Opportunity"]

with DAG(
    "salesforce_nightly_objects",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):

    @task_group
    def in_step(sobject: str) -> None:
        extract = SalesforceExtractOperator(
            task_id="extract",
            sobject=sobject,
            incremental="watermark",  # what changed since the last green run of this object
            include_deleted=True,  # rows in the recycle bin leave the table
            inlets=[Asset(uri=f"salesforce://salesforce_jwt_default/{name}") for name in OBJECTS],
            outlets=[AssetAlias("salesforce")],  # an event of each object that was published
            emit_empty=False,
            output_path=OUTPUT + "/nightly/run={{ dag_run.run_after | ts_nodash }}/{{ ti.map_index }}",
            max_active_tis_per_dagrun=10,
            retries=3,
        )
        SalesforceToSqlOperator(
            task_id="merge", source=extract.output, sql_conn_id="warehouse", table=sobject, naming="snake", retries=3
        )

    in_step.expand(sobject=OBJECTS)  # an object that fails does not stop the others
# [END nightly]
