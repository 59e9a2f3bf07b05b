"""An extract and a load on the KubernetesExecutor, each in a pod of the size that it needs.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, an object store that all pods reach, and
``apache-airflow-providers-cncf-kubernetes``. docs/executors.md has the pod template.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG
from kubernetes.client import models as k8s

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")


# [START pod]
def pod_with(**resources: str) -> dict[str, k8s.V1Pod]:
    """The template's pod, whose task gets these and no more."""
    needs = k8s.V1ResourceRequirements(requests=resources, limits=resources)
    task = k8s.V1Container(name="base", resources=needs)  # the name of the container that runs the task
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[task]))}


with DAG(
    "salesforce_on_kubernetes",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "salesforce"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
):
    contacts = SalesforceExtractOperator(
        task_id="contacts",
        sobject="Contact",
        fields=["Id", "Title"],
        # An object store: pods share no disk.
        output_path=OUTPUT + "/kubernetes/contacts/ds={{ dag_run.run_after | ds }}",
        deferrable=True,  # no pod waits while Salesforce works
        executor_config=pod_with(cpu="1", memory="1Gi"),
    )
    SalesforceLoadOperator(
        task_id="titles",
        sobject="Contact",
        operation="update",
        source=contacts.output,
        results_path=OUTPUT + "/kubernetes/titles/ds={{ dag_run.run_after | ds }}",
        deferrable=True,
        # All rows lie on the pod's disk, as CSV, while they are checked and sent.
        executor_config=pod_with(**{"cpu": "1", "memory": "1Gi", "ephemeral-storage": "10Gi"}),
    )
# [END pod]
