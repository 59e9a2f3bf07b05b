"""A whole org in step, every hour: many objects, each with a chain of receipts, in four tasks.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START sync]
with DAG(
    "salesforce_org_in_step",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # two runs at once would extract the same windows
    tags=["example", "salesforce"],
):
    SalesforceSyncGroup(
        "salesforce",
        objects=["Account", "Contact", "Opportunity", "*__c"],  # names, and patterns over what can be queried
        exclude=["*Log__c"],
        overrides={"Contact": {"where": "AccountId != null"}},
        output_path=OUTPUT + "/org",  # the same for every run
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    )
# [END sync]
