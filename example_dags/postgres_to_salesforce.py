"""What changed in a database since the day before, into Salesforce, and the outcome of each row back into the database.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT; ``warehouse``, of the type ``postgres``,
``duckdb`` or ``sqlite``; and an external id ``ExternalKey__c`` on Contact.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG

from airflow_provider_sfjwt.transfers.sql import SqlToFilesOperator, SqlToSalesforceOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")
DAY = "{{ (dag_run.logical_date or dag_run.run_after) | ds }}"

with DAG(
    "salesforce_postgres_to_salesforce",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example", "salesforce"],
):
    # [START load]
    load = SqlToSalesforceOperator(
        task_id="customers",
        sql=f"SELECT number, last_name, email, birthday FROM customer WHERE changed_on >= '{DAY}'",
        sql_conn_id="warehouse",
        sobject="Contact",
        operation="upsert",
        external_id_field="ExternalKey__c",
        column_mapping={"number": "ExternalKey__c", "last_name": "LastName", "birthday": "Birthdate"},
        staging_path=OUTPUT + "/staging",  # on storage that all workers reach
        results_table="customer_in_salesforce",
        row_key="number",
        retries=3,  # a retry reads the same rows, and sends only what was not accepted
    )
    remember = SQLExecuteQueryOperator(
        task_id="remember_ids",
        conn_id="warehouse",
        sql="UPDATE customer SET salesforce_id = r.salesforce_id FROM customer_in_salesforce AS r "
        "WHERE r.number = customer.number AND r.outcome = 'succeeded'",
    )
    load >> remember
    # [END load]

    # [START files]
    SqlToFilesOperator(
        task_id="all_customers",
        sql="SELECT number, last_name, email, birthday, changed_on FROM customer ORDER BY number",
        sql_conn_id="warehouse",
        output_path=OUTPUT + "/customers/ds=" + DAY,
    )
    # [END files]
