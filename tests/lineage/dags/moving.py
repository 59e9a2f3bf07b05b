"""Extracts, loads and queries in each way that OpenLineage hears of differently."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup

LAKE = os.environ["LINEAGE_LAKE"]
FIELDS = ["Id", "Name", "AnnualRevenue"]
WAIT = {"poll_interval": 0.05}


class Broken(SalesforceQueryOperator):
    """An operator whose lineage fails."""

    def lineage(self) -> Any:
        raise RuntimeError("no lineage today")


with DAG("moving", schedule=None, catchup=False, max_active_runs=1):
    extract = SalesforceExtractOperator(
        task_id="extract", sobject="Account", fields=FIELDS, output_path=f"{LAKE}/accounts", **WAIT
    )
    deferred = SalesforceExtractOperator(
        task_id="deferred", sobject="Account", fields=["Id"], output_path=f"{LAKE}/ids", deferrable=True, **WAIT
    )
    mapped = SalesforceExtractOperator.partial(task_id="mapped", fields=["Id", "Name"], **WAIT).expand_kwargs(
        [{"sobject": name, "output_path": f"{LAKE}/mapped/{name}"} for name in ("Contact", "Account")]
    )
    watermark = SalesforceExtractOperator(
        task_id="watermark",
        sobject="Account",
        fields=["Id", "SystemModstamp"],
        output_path=f"{LAKE}/changes",
        incremental="watermark",
        outlets=[Asset("salesforce://salesforce_jwt_default/Account")],
        **WAIT,
    )
    load = SalesforceLoadOperator(
        task_id="load",
        sobject="Contact",
        operation="insert",
        source=extract.output,
        column_mapping={"Id": None, "Name": "LastName", "AnnualRevenue": None},
    )
    query = SalesforceQueryOperator(task_id="query", soql="SELECT Id, Name FROM Account LIMIT 3")

    @task
    def by_hook() -> Any:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        hook = SalesforceJwtHook()
        next(hook.query("SELECT Id FROM Contact"))
        hook.load(sobject="Lead", operation="insert", source=[{"LastName": "Doe", "Company": "Acme"}])
        return hook.extract(sobject="Account", fields=["Id"], output_path=f"{LAKE}/by_hook").summary()

    hooked = by_hook()
    step = SalesforceSyncGroup("step", objects=["Account"], output_path=f"{LAKE}/step", commit_lag=0, **WAIT)
    broken = Broken(task_id="broken", soql="SELECT Id FROM Account LIMIT 1")
    # It fails, and is the last one, so that the others do not wait for it.
    refused = SalesforceExtractOperator(
        task_id="refused", soql="SELECT Id FROM Account WHERE Nowhere = 1", output_path=f"{LAKE}/refused", **WAIT
    )
    extract >> [deferred, mapped, watermark, query, hooked, broken, refused]
    hooked >> step  # they share a collector in dag.test()
