"""Reports as tasks leave them."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.tasks.report.task_report import Failure, Part, RowErrors, SetupJob, TaskReport

HOST = "acme.my.salesforce.com"
JOB = "750xx0000000001AAA"


def extract(**changed: Any) -> dict[str, Any]:
    """Of an extract that is complete."""
    known: dict[str, Any] = {
        "kind": "extract",
        "ended_at": "2026-11-20T07:05:00+00:00",
        "seconds": 12.5,
        "attempt": 1,
        "conn_id": "salesforce_jwt_default",
        "host": HOST,
        "sobject": "Account",
        "soql": "SELECT Id, Name FROM Account",
        "transport": "bulk",
        "window": ("2026-11-19T00:00:00+00:00", "2026-11-20T07:00:00+00:00"),
        "rows": 12_345,
        "bytes": 2_500_000,
        "parts": (
            Part("part-00000.parquet", 10_000, 2_000_000, 0.0, 4.0),
            Part("part-00001.parquet", 2_345, 500_000, 1.0, 5.0),
        ),
        "api_calls": 9,
        "api_calls_left": 88_000,
        "api_calls_allowed": 100_000,
        "columns": ("Id", "Name"),
        "drift": {"added": (), "removed": (), "retyped": ()},
        "paths": {"output_path": "s3://lake/accounts", "receipt": "s3://lake/accounts/_receipt.json"},
        "jobs": (SetupJob(JOB, f"https://{HOST}/lightning/setup/AsyncApiJobStatus/page?address=%2F{JOB}"),),
    }
    return TaskReport(**{**known, **changed}).to_json()


def load(**changed: Any) -> dict[str, Any]:
    """Of a load that lost rows, and failed for it."""
    known: dict[str, Any] = {
        "kind": "load",
        "ended_at": "2026-11-20T07:05:00+00:00",
        "seconds": 30.0,
        "conn_id": "salesforce_jwt_default",
        "host": HOST,
        "sobject": "Contact",
        "operation": "upsert",
        "transport": "bulk",
        "rows": 980,
        "counts": {"read": 1_000, "sent": 1_000, "succeeded": 980, "failed": 15, "unprocessed": 5},
        "errors": (RowErrors("DUPLICATE_VALUE", 12, ("Key__c",)), RowErrors("MADE_UP_CODE", 3)),
        "paths": {"results_path": "s3://lake/results"},
        "failure": Failure("RecordsFailedError", "20 of 1,000 rows were not loaded", "Correct the rows."),
    }
    return TaskReport(**{**known, **changed}).to_json()
