"""The example of a round trip once more, by a worker that waits for Salesforce itself."""

from __future__ import annotations

import runpy
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

_EXAMPLE = Path(__file__).resolve().parents[3] / "example_dags/load_round_trip.py"

dag = next(each for each in runpy.run_path(str(_EXAMPLE)).values() if isinstance(each, DAG))
dag.dag_id = "load_round_trip_in_worker"
for each in dag.tasks:
    if isinstance(each, SalesforceLoadOperator | SalesforceExtractOperator):
        each.deferrable = False
