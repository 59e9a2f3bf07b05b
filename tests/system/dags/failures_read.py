"""Ten broken settings and ten broken data files, a mapped instance for each."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

FOLDER = os.environ["SFJWT_EXAMPLE_OUTPUT"] + "/failures_read"


def extract(**changed: Any) -> dict[str, Any]:
    """The arguments of an extract with a fault."""
    return {
        "sobject": "Account",
        "fields": ["Id", "Name"],
        "output_path": FOLDER + "/{{ ti.map_index }}",
        "salesforce_conn_id": "salesforce_jwt_default",
        **changed,
    }


def load(file: str, **changed: Any) -> dict[str, Any]:
    """The arguments of a load of a file with a fault."""
    return {"sobject": "Contact", "operation": "insert", "source": f"{FOLDER}/{file}.csv", **changed}


SETTINGS = [
    extract(salesforce_conn_id="no_consumer_key"),
    extract(salesforce_conn_id="broken_key"),
    extract(salesforce_conn_id="other_user"),
    extract(salesforce_conn_id="page_of_the_ui"),
    extract(salesforce_conn_id="no_such_connection"),
    extract(sobject="Acount"),
    extract(fields=["Id", "Nmae"]),
    extract(where="Industri = 'Banking'"),
    extract(output_path="extracts/account"),
    extract(incremental="data_interval"),
]
FILES = [
    load("number", sobject="Opportunity"),
    load("date"),
    load("too_long"),
    load("empty"),
    load("twice", operation="upsert", external_id_field="ExternalKey__c"),
    load("unknown_column"),
    load("ragged"),
    load("latin_1"),
    load("two_columns"),
    load("no_such_parent"),
]

with DAG("failures_read", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=8):
    SalesforceExtractOperator.partial(task_id="setting", deferrable=False).expand_kwargs(SETTINGS)
    SalesforceLoadOperator.partial(task_id="file", deferrable=False).expand_kwargs(FILES)
