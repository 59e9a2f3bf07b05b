"""A DAG of a user's project: what the page about tests runs with ``dag.test()``."""

# [START dag]
from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

with DAG("accounts", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False) as dag:
    SalesforceExtractOperator(
        task_id="extract",
        sobject="Account",
        output_path="{{ var.value.lake }}/accounts/ds={{ ds }}",
        deferrable=True,
    )
# [END dag]
