"""Fetching the bodies of files: the docs include this code, a test runs it."""

from __future__ import annotations

from pathlib import Path

from simple_salesforce import format_soql

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook


# [START files]
def save_attachments(parent_id: str, folder: Path) -> None:
    hook = SalesforceJwtHook()
    soql = format_soql("SELECT Id, Name FROM Attachment WHERE ParentId = {}", parent_id)
    for row in hook.query(soql):
        body = hook.request("GET", f"sobjects/Attachment/{row['Id']}/Body")
        (folder / row["Id"]).write_bytes(body)


# [END files]
