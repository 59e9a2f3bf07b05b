"""What Salesforce answers about ingest jobs, in short."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Response
from tests.salesforce.api.scripted import ok, refusal

PAST_IT = refusal(400, "INVALIDJOBSTATE", "Closing already Completed Job not allowed")
GONE = refusal(404, "NOT_FOUND")


def ref(number: int = 1) -> JobRef:
    return JobRef(f"750{number}", "60.0", "ingest")


def said(state: str = "Open", number: int = 1, **info: Any) -> Response:
    return ok({"id": f"750{number}", "object": "Account", "state": state, **info})


def read_all(body: Body) -> bytes:
    content, buffer = bytearray(), bytearray(100)
    while size := body.readinto(memoryview(buffer)):
        content += buffer[:size]
    return bytes(content)
