"""The shortest extract: all accounts, into a folder on this machine, or where the variable ``lake`` says.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT.
"""

# [START first]
from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

with DAG("first_extract", tags=["salesforce"]):
    SalesforceExtractOperator(
        task_id="accounts",
        sobject="Account",
        output_path="{{ var.value.get('lake', 'file:///tmp/lake') }}/accounts/{{ dag_run.run_after | ts_nodash }}",
    )
# [END first]
