"""The org's connection with other fields, and what the doctor and the hook make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.doctor.checkup import Checkup
from airflow_provider_sfjwt.doctor.verdicts import Finding
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings, read_connection
from airflow_provider_sfjwt.testing import SimulatedOrg

TOKEN = "/services/oauth2/token"
LOGIN, TEST = "https://login.salesforce.com", "https://test.salesforce.com"
DOCS = Path(__file__).parents[3] / "docs"


def read(org: SimulatedOrg, extra: dict[str, Any] | None = None, **fields: Any) -> ConnectionSettings:
    content = json.loads(org.connection_json())
    given = {name: fields.pop(name, content.get(name)) for name in ("login", "password", "host", "port")}
    return read_connection(**given, extra=content["extra"] | (extra or {}), subject="connection 'sf'")


def text(org: SimulatedOrg, extra: dict[str, Any] | None = None, **fields: Any) -> str:
    """The org's connection as JSON, some of whose fields are other ones."""
    content = json.loads(org.connection_json())
    return json.dumps(content | fields | {"extra": content["extra"] | (extra or {})})


def findings(org: SimulatedOrg, extra: dict[str, Any] | None = None, **fields: Any) -> list[Finding]:
    return list(Checkup(lambda: read(org, extra, **fields), RetryPolicy(first_delay=0)).findings())


def hook_for(monkeypatch: pytest.MonkeyPatch, text: str, conn_id: str = "sf") -> SalesforceJwtHook:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
    return SalesforceJwtHook(conn_id)
