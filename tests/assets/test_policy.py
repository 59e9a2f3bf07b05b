"""A DAG that would start itself is refused when it is parsed, by a policy among the package's entry points."""

from __future__ import annotations

import pluggy
import pytest
from airflow import policies
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset

from airflow_provider_sfjwt.assets import policy, salesforce_asset
from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from tests.repository import REPOSITORY

pytestmark = pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")


def asked(schedule: object, outlet: object) -> None:
    """Ask all policies about a DAG, as Airflow does."""
    manager = pluggy.PluginManager("airflow.policy")
    manager.add_hookspecs(policies)
    manager.register(policy)
    with DAG("looping", schedule=schedule) as dag:
        EmptyOperator(task_id="publish", outlets=[outlet])
    manager.hook.dag_policy(dag=dag)


def test_a_dag_with_a_watched_asset_as_schedule_and_outlet_is_refused() -> None:
    watched = salesforce_asset("Account")
    said = "task publish has the same asset as an outlet.*publishes is salesforce://salesforce_jwt_default/Account$"
    for schedule in (watched, [watched], watched | Asset("other")):
        with pytest.raises(AirflowClusterPolicyViolation, match=said):
            asked(schedule, watched)


def test_any_other_dag_passes() -> None:
    watched, published = salesforce_asset("Account"), Asset("salesforce://salesforce_jwt_default/Account")
    asked(watched, published)
    asked(watched, salesforce_asset("Contact"))
    asked([published], published)
    asked("@daily", watched)
    asked(None, watched)


def test_airflow_finds_the_policy() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition('[project.entry-points."airflow.policy"]')[2].partition("[")[0]
    assert section.split(" = ")[1].strip().strip('"') == policy.__name__
