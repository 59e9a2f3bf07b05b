"""``python -m tests.transfers.loader_statements``: what the loaders of other providers would send, as JSON.

The operators are those of docs/loaders.md. They run to the end, but for the one call that sends the statement or the job.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

#: What an extract's task returned in ``parts``, or ``part_keys`` gives for it.
KEYS = [
    "crm/accounts/ds=2026-11-20/part-00000-7505e0000000001AAA.parquet",
    "crm/accounts/ds=2026-11-20/part-00001-7505e0000000001AAA.parquet",
]
MANIFEST = "crm/accounts/ds=2026-11-20/_redshift_manifest.json"


def snowflake(keys: Any) -> Any:
    # [START snowflake]
    from airflow.providers.snowflake.transfers.copy_into_snowflake import CopyFromExternalStageToSnowflakeOperator

    copy = CopyFromExternalStageToSnowflakeOperator(
        task_id="copy_into_snowflake",
        snowflake_conn_id="snowflake_default",
        schema="crm",
        table="accounts_increment",
        stage="lake",  # an external stage of the bucket, without a path
        files=keys,
        file_format="(TYPE = PARQUET)",
        copy_options="MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
    )
    # [END snowflake]
    return copy  # noqa: RET504  # the page shows the assignment


def bigquery(keys: Any) -> Any:
    # [START bigquery]
    from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator

    load = GCSToBigQueryOperator(
        task_id="load_into_bigquery",
        bucket="lake",
        source_objects=keys,
        source_format="PARQUET",
        destination_project_dataset_table="acme.crm.accounts_increment",
        write_disposition="WRITE_TRUNCATE",
        extra_config={
            "decimalTargetTypes": ["NUMERIC", "BIGNUMERIC"],  # decimal(38, 18) needs the second
            "columnNameCharacterMap": "V2",  # Owner.Name becomes Owner_Name
        },
    )
    # [END bigquery]
    return load  # noqa: RET504  # the page shows the assignment


def nightly() -> Any:
    # [START dag]
    from datetime import datetime, timezone

    from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator
    from airflow.sdk import DAG, Asset, task

    from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
    from airflow_provider_sfjwt.transfers.parts import part_keys

    with DAG(
        "accounts_into_bigquery",
        schedule="0 2 * * *",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=1,  # one increment after the other
    ) as dag:
        accounts = SalesforceExtractOperator(
            task_id="accounts",
            sobject="Account",
            incremental="watermark",  # what changed since the last green run
            include_deleted=True,
            inlets=[Asset(uri="salesforce://salesforce_jwt_default/Account")],
            output_path="gs://google_cloud_default@lake/crm/accounts/run={{ dag_run.run_after | ts_nodash }}",
            retries=3,
        )

        @task
        def parts(extract: dict[str, Any]) -> list[str]:
            return part_keys(extract)

        GCSToBigQueryOperator(
            task_id="load_into_bigquery",
            bucket="lake",
            source_objects=parts(accounts.output),
            source_format="PARQUET",
            destination_project_dataset_table="acme.crm.accounts_increment",
            write_disposition="WRITE_TRUNCATE",
            extra_config={"decimalTargetTypes": ["NUMERIC", "BIGNUMERIC"], "columnNameCharacterMap": "V2"},
            retries=3,
        )
    # [END dag]
    load = dag.get_task("load_into_bigquery")
    assert (load.upstream_task_ids, dag.get_task("parts").upstream_task_ids) == ({"parts"}, {"accounts"})
    ti = mock.MagicMock()
    ti.xcom_pull.return_value = KEYS
    load.render_template_fields({"ti": ti, "task_instance": ti})
    return load


def redshift(manifest: Any) -> Any:
    # [START redshift]
    from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator

    copy = S3ToRedshiftOperator(
        task_id="copy_into_redshift",
        redshift_conn_id="redshift_default",
        aws_conn_id="aws_default",
        schema="crm",
        table="accounts_increment",
        s3_bucket="lake",
        s3_key=manifest,  # what redshift_manifest() returned
        copy_options=["FORMAT AS PARQUET", "MANIFEST"],
        method="REPLACE",
    )
    # [END redshift]
    return copy  # noqa: RET504  # the page shows the assignment


def _sent(task: Any, *calls: str, **context: Any) -> Any:
    """What the last of some calls was given."""
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        patches = [mock.patch(call) for call in calls]
        fakes = [patch.start() for patch in patches]
        fakes[-1].return_value.error_result = fakes[-1].return_value.errors = None
        try:
            task.execute({"ti": mock.MagicMock(), "task_instance": mock.MagicMock(), "run_id": "r", **context})
        finally:
            mock.patch.stopall()
    return fakes[-1].call_args


def main() -> None:
    google = "airflow.providers.google.cloud.hooks.bigquery.BigQueryHook"
    amazon = "airflow.providers.amazon.aws"
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = os.environ["AIRFLOW_CONN_REDSHIFT_DEFAULT"] = "generic://"
    os.environ["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"] = "google-cloud-platform://?project=acme"
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps({"conn_type": "aws", "extra": {"role_arn": "arn:lake"}})
    job = (f"{google}.get_run_after_or_logical_date", f"{google}.project_id", f"{google}.insert_job")
    statements: dict[str, Callable[[], Any]] = {
        "snowflake": lambda: _sent(
            snowflake(KEYS), "airflow.providers.snowflake.hooks.snowflake.SnowflakeHook.run"
        ).kwargs["sql"],
        "bigquery": lambda: _sent(bigquery(KEYS), *job).kwargs["configuration"],
        "dag": lambda: _sent(nightly(), *job).kwargs["configuration"],
        "redshift": lambda: _sent(redshift(MANIFEST), f"{amazon}.hooks.redshift_sql.RedshiftSQLHook.run").args[0],
    }
    print(json.dumps({name: build() for name, build in statements.items()}, indent=2, default=str))


if __name__ == "__main__":
    main()
