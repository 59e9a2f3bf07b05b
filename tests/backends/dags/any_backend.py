"""An extract that writes every secret of its connection into its log: what masking has to bear."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from airflow.sdk import DAG, BaseHook, Context

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator


class CarelessExtract(SalesforceExtractOperator):
    """Signs in, asks, and logs what it must not; before and after it waits, which are two processes."""

    def execute(self, context: Context) -> dict[str, Any]:
        rows = list(SalesforceJwtHook(self.salesforce_conn_id).query("SELECT Id, Name FROM Account"))
        self.log.info("The query brought %d rows", len(rows))
        self._log_secrets()
        return super().execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], submitted: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        summary = super().execute_complete(context, event, submitted)
        self._log_secrets()
        return summary

    def _log_secrets(self) -> None:
        connection = BaseHook.get_connection(self.salesforce_conn_id)
        key = json.loads(connection.extra or "{}")["private_key"]
        with SalesforceJwtHook(self.salesforce_conn_id).connect() as org:
            token = org.token().value
        spilled = {
            "key": key,
            "key's repr": repr(key),
            "key as JSON": json.dumps(key),
            "joined key": "".join(key.splitlines()),
            "key for a URL": quote(key, safe=""),
            "extra": connection.extra,
            "decoded extra": connection.extra_dejson,
            "passphrase": connection.password or "none",
            "URI": connection.get_uri(),
            "token": token,
            "token for a URL": quote(token, safe=""),
        }
        spilled |= {f"line {number}": line for number, line in enumerate(key.splitlines(), 1)}
        for name, value in spilled.items():
            self.log.info("Careless: %s: %s", name, value)
        print("Careless: printed:", key, token, connection.password)
        try:
            raise ValueError(f"Careless: raised: {key} {token} {connection.password}")
        except ValueError:
            self.log.exception("Careless: caught")


with DAG(dag_id="any_backend", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    CarelessExtract(
        task_id="extract",
        sobject="Account",
        fields=["Id", "Name"],
        salesforce_conn_id="{{ dag_run.conf['conn_id'] }}",
        output_path=os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/any_backend/{{ dag_run.conf['conn_id'] }}",
        file_format="csv",
        poll_interval=1,
        deferrable=True,
    )
