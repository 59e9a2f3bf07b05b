"""The rows of a SQL query into Salesforce, through Airflow's ``common.sql`` and XCom.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, a connection ``warehouse`` to a database that
``common.sql`` knows, and an external id ``ExternalKey__c`` on Contact.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")


# [START rows]
def as_dicts(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


with DAG(
    dag_id="salesforce_load_sql_rows",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "salesforce"],
):
    customers = SQLExecuteQueryOperator(
        task_id="customers",
        conn_id="warehouse",
        sql="SELECT number, last_name, email, birthday, seller FROM customer "
        "WHERE changed_on >= '{{ (dag_run.logical_date or dag_run.run_after) | ds }}'",
        handler=as_dicts,  # up to 10,000 rows go through XCom; more belong into a file
    )
    SalesforceLoadOperator(
        task_id="load_customers",
        sobject="Contact",
        operation="upsert",
        external_id_field="ExternalKey__c",
        source=customers.output,
        column_mapping={
            "number": "ExternalKey__c",
            "last_name": "LastName",
            "birthday": "Birthdate",
            "seller": "Owner.Username",  # the owner by a field that finds users
        },
        null_policy="clear",  # what is empty in the database becomes empty in Salesforce
        results_path=OUTPUT + "/sql_rows/ds={{ dag_run.run_after | ds }}",
    )
# [END rows]
