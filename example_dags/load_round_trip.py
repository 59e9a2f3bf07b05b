"""Parquet into Salesforce and out again: both tables are equal, or the run fails.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and an external id on Opportunity.
"""

import os
from datetime import date, datetime, timezone

from airflow.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

RUN, KEY = "{{ dag_run.run_after | ts_nodash }}", "external_id__c"
FOLDER = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce") + "/round_trip/run=" + RUN
FIELDS = [KEY, "Name", "StageName", "CloseDate", "Amount", "Description"]
START, PARAMS = datetime(2026, 1, 1, tzinfo=timezone.utc), {"rows": Param(500, type="integer", minimum=1)}
DEAL, TEXTS = ("Zürich, HQ", "Prospecting", date(2028, 2, 29)), ("NA", "007", 'two\n"lines"', None)

with DAG("salesforce_load_round_trip", schedule=None, start_date=START, params=PARAMS, tags=["salesforce"]) as dag:

    @task
    def write_parquet(path: str, run: str, rows: str) -> str:
        from pyarrow import parquet, table

        deals = [(f"{run}-{n}", *DEAL, n / 4, TEXTS[n % 4]) for n in range(int(rows))]
        ObjectStoragePath(path).parent.mkdir(parents=True, exist_ok=True)
        with ObjectStoragePath(path).open("wb") as file:
            parquet.write_table(table(dict(zip(FIELDS, zip(*deals, strict=True), strict=True))), file)
        return path

    @task
    def compare(source: str, extract: str) -> int:
        from pyarrow import concat_tables, parquet

        parts = [f"{extract}/{part.name}" for part in SalesforceJwtHook().read_receipt(extract).parts]
        sent, *found = (parquet.read_table(ObjectStoragePath(path).open("rb")) for path in (source, *parts))
        rows = concat_tables(found).sort_by(KEY)
        assert sent.cast(rows.schema).sort_by(KEY).equals(rows), "Salesforce has other rows than the file"
        return rows.num_rows

    # [START load]
    load = SalesforceLoadOperator(
        task_id="load",
        sobject="Opportunity",
        operation="upsert",
        external_id_field=KEY,
        source=write_parquet(FOLDER + "/deals.parquet", RUN, "{{ params.rows }}"),
        results_path=FOLDER + "/results",  # what became of each row
        retries=2,  # a retry sends only what was not accepted
    )
    # [END load]
    where, out = f"{KEY} LIKE '{RUN}-%'", FOLDER + "/extract"
    extract = SalesforceExtractOperator(
        task_id="extract", sobject="Opportunity", fields=FIELDS, where=where, output_path=out
    )
    load >> extract >> compare(FOLDER + "/deals.parquet", out)
