# ruff: noqa: RET504  # what the documentation shows is the assignment
"""Tasks of the official provider and of the two transfers, and the same here."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.transfers.salesforce_to_s3 import SalesforceToS3Operator
from airflow.providers.salesforce.operators.bulk import SalesforceBulkOperator
from airflow.providers.salesforce.operators.salesforce_apex_rest import (
    SalesforceApexRestOperator as OfficialApexRestOperator,
)
from airflow.sdk import task

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.operators.rest import SalesforceApexRestOperator

Rows = list[dict[str, Any]]
SOQL = "SELECT Id, Name, NumberOfEmployees FROM Account"


def official_upsert(rows: Rows) -> Any:
    # [START upsert_official]
    load = SalesforceBulkOperator(
        task_id="load",
        operation="upsert",
        object_name="Contact",
        payload=rows,
        external_id_field="ExternalKey__c",
        batch_size=200,
        max_retries=2,
        bulk_retry_delay=0,
    )
    # [END upsert_official]
    return load


def upsert(rows: Rows) -> Any:
    # [START upsert]
    load = SalesforceLoadOperator(
        task_id="load",
        operation="upsert",
        sobject="Contact",
        source=rows,
        external_id_field="ExternalKey__c",
        row_retries=2,
    )
    # [END upsert]
    return load


def official_bulk(operation: str, rows: Rows, **arguments: Any) -> Any:
    return SalesforceBulkOperator(task_id="load", operation=operation, object_name="Contact", payload=rows, **arguments)


def bulk(operation: str, rows: Rows, **arguments: Any) -> Any:
    return SalesforceLoadOperator(task_id="load", operation=operation, sobject="Contact", source=rows, **arguments)


def tolerant(rows: Rows, results_path: str) -> Any:
    # [START tolerant]
    load = SalesforceLoadOperator(
        task_id="load",
        operation="insert",
        sobject="Contact",
        source=rows,
        max_failed_ratio=1.0,  # as in the official operator: green, whatever was rejected
        results_path=results_path,  # and what became of each row
    )
    # [END tolerant]
    return load


def official_serial(rows: Rows) -> Any:
    # [START serial_official]
    load = SalesforceBulkOperator(
        task_id="load", operation="insert", object_name="Contact", payload=rows, use_serial=True
    )
    # [END serial_official]
    return load


def serial(rows: Rows) -> Any:
    # [START serial]
    load = SalesforceLoadOperator(
        task_id="load",
        operation="insert",
        sobject="Contact",
        source=rows,
        group_by="AccountId",  # contacts of one account never meet each other's lock
        parallel_jobs=1,  # and one job runs at a time
    )
    # [END serial]
    return load


def official_apex() -> Any:
    # [START apex_official]
    book = OfficialApexRestOperator(
        task_id="book", endpoint="invoices/v1", method="POST", payload={"number": "{{ run_id }}", "amount": 5}
    )
    # [END apex_official]
    return book


def apex() -> Any:
    # [START apex]
    book = SalesforceApexRestOperator(
        task_id="book", path="invoices/v1", method="POST", payload={"number": "{{ run_id }}", "amount": 5}
    )
    # [END apex]
    return book


def given(task: Any, arguments: dict[str, Any]) -> Any:
    """The task with other arguments than those that are shown, which it has only assigned so far."""
    for name, value in arguments.items():
        assert hasattr(task, name), name
        setattr(task, name, value)
    return task


def official_to_s3(**arguments: Any) -> Any:
    # [START s3_official]
    accounts = SalesforceToS3Operator(
        task_id="accounts",
        salesforce_query=SOQL,
        salesforce_conn_id="salesforce_default",
        s3_bucket_name="lake",
        s3_key="official/accounts.csv",
        export_format="csv",
        replace=True,
    )
    # [END s3_official]
    return given(accounts, arguments)


def to_s3(**arguments: Any) -> Any:
    # [START s3]
    accounts = SalesforceExtractOperator(
        task_id="accounts",
        soql=SOQL,
        output_path="s3://aws_default@lake/accounts",  # gs://google_cloud_default@lake/accounts
        file_format="csv",
    )
    # [END s3]
    return given(accounts, arguments)


# [START one_file]
@task
def one_file(soql: str, path: str, file_format: str) -> str:
    from airflow.sdk import ObjectStoragePath

    frame = SalesforceJwtHook().query_pandas(soql)
    with ObjectStoragePath(path).open("w") as file:  # s3://, gs://, abfs://, file://
        if file_format == "csv":
            frame.to_csv(file, index=False)
        else:
            frame.to_json(file, orient="records", lines=file_format == "ndjson", date_format="iso")
    return path


# [END one_file]


# [START grouped]
@task
def grouped_file(soql: str, path: str) -> str:
    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    frame = pd.DataFrame(SalesforceJwtHook().query(soql))  # aggregates, sub-queries, compound fields
    with ObjectStoragePath(path).open("w") as file:
        frame.to_json(file, orient="records", lines=True)
    return path


# [END grouped]


# [START encrypted]
@task
def encrypted_file(soql: str, bucket: str, key: str) -> str:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    rows = SalesforceJwtHook().query_pandas(soql).to_csv(index=False)
    S3Hook("aws_default").load_string(rows, key, bucket, replace=True, encrypt=True, acl_policy="private")
    return f"s3://{bucket}/{key}"


# [END encrypted]
