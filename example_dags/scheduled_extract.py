"""Every night, the accounts that changed on the day before: a data set for each day, as Parquet.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT. A run by hand needs a logical date,
which decides the day: ``airflow dags trigger scheduled_extract --logical-date 2026-11-10``.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START data_interval]
with DAG(
    dag_id="scheduled_extract",
    # Not "@daily": in Airflow 3 a cron expression gives intervals without width, which hold no rows.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):
    SalesforceExtractOperator(
        task_id="extract_accounts",
        sobject="Account",
        incremental="data_interval",
        transport="bulk",  # a job, also for few rows, which "auto" would read over REST
        output_path=OUTPUT + "/account/day={{ dag_run.data_interval_start | ds }}",
        file_format="parquet",
    )
# [END data_interval]
