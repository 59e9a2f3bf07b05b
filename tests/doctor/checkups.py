"""Checkups of the simulated org's connection, some of whose fields are other ones."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_sfjwt.doctor.checkup import Checkup
from airflow_provider_sfjwt.doctor.verdicts import Finding
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.auth.credentials import read_connection
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg

TOKEN = "/services/oauth2/token"
POLICY = RetryPolicy(first_delay=0.0)


def checkup(org: SimulatedOrg, extra: dict[str, Any] | None = None, /, **options: Any) -> Checkup:
    """A checkup of the org's connection, some of whose fields are other ones."""
    content = json.loads(org.connection_json())
    fields = {name: options.pop(name, content.get(name)) for name in ("login", "password", "host", "port")}
    extras = content["extra"] | (extra or {})
    return Checkup(lambda: read_connection(**fields, extra=extras, subject="connection 'sf'"), POLICY, **options)


def steps(org: SimulatedOrg, extra: dict[str, Any] | None = None, /, **options: Any) -> dict[str, Finding]:
    return {step.name: step for step in checkup(org, extra, **options).findings()}


def last(org: SimulatedOrg, extra: dict[str, Any] | None = None, /, **options: Any) -> Finding:
    return list(checkup(org, extra, **options).findings())[-1]


def exchanges(org: SimulatedOrg) -> int:
    return sum(request.path == TOKEN for request in org.requests)


def refusal(code: str, description: str) -> Fault:
    body = json.dumps({"error": code, "error_description": description})
    return Fault(path=TOKEN, status=400, body=body, headers={"Content-Type": "application/json;charset=UTF-8"})
