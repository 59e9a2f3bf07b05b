"""A policy by which Airflow refuses a DAG that would start itself for ever.

Airflow loads it from the package's entry points, and asks it about each DAG that is parsed.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
"""

from __future__ import annotations

from typing import Any

from airflow.policies import hookimpl

from airflow_provider_sfjwt.assets.watched import is_watched
from airflow_provider_sfjwt.compat.watchers import scheduled_assets


@hookimpl
def dag_policy(dag: Any) -> None:
    """Refuse a DAG that is scheduled on a watched asset and has it as an outlet too.

    :param dag: the DAG.
    :raises AirflowClusterPolicyViolation: for such a DAG.
    """
    watched = {asset.uri for asset in scheduled_assets(dag) if is_watched(asset.uri)}
    if not watched:
        return
    for task in dag.tasks:
        for outlet in task.outlets:
            if getattr(outlet, "uri", None) in watched:
                from airflow.exceptions import AirflowClusterPolicyViolation

                raise AirflowClusterPolicyViolation(
                    f"Dag {dag.dag_id} is scheduled on {outlet.uri}, and its task {task.task_id} has the same asset as "
                    "an outlet: each run would start the next one, for ever. Remove the outlet; what an extract "
                    f"publishes is {outlet.uri.removesuffix('/changes')}"
                )
