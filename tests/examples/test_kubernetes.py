"""The pods of docs/executors.md: what Airflow makes of the template and the example, held against Kubernetes' own schema."""

from __future__ import annotations

import copy
import re
import runpy
from datetime import datetime, timezone
from typing import Any

import pytest
import yaml

from tests.repository import EXAMPLES, REPOSITORY

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="missing: kubernetes-validate")
pytest.importorskip("kubernetes", reason="missing: apache-airflow-providers-cncf-kubernetes")

TEMPLATE = REPOSITORY / "docs" / "pod_template.yaml"
PAGE = (REPOSITORY / "docs" / "executors.md").read_text(encoding="utf-8")
#: The oldest and the newest that the page names.
VERSIONS = ("1.31", "1.37")


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    """The pod of each task of the example, by its id, as the executor would send it."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    found = runpy.run_path(str(EXAMPLES / "extract_on_kubernetes.py"))
    dag = found["contacts"].dag
    return {
        task.task_id: PodGenerator.serialize_pod(
            PodGenerator.construct_pod(
                dag_id=dag.dag_id,
                task_id=task.task_id,
                pod_id=f"{task.task_id}-0a1b2c3d",
                try_number=1,
                kube_image=None,  # the template's
                date=datetime(2026, 11, 26, tzinfo=timezone.utc),
                args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"],
                pod_override_object=PodGenerator.from_obj(task.executor_config),
                base_worker_pod=PodGenerator.deserialize_model_file(str(TEMPLATE)),
                namespace="airflow",
                scheduler_job_id="1",
                run_id="manual__2026-11-26",
            )
        )
        for task in dag.tasks
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("task_id", ["contacts", "titles"])
def test_a_pod_of_the_example_is_one_of_the_schema(pods: Any, task_id: str, version: str) -> None:
    kubernetes_validate.validate(pods[task_id], version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found(pods: Any) -> None:
    wrong = copy.deepcopy(pods["titles"])
    wrong["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_each_pod_has_the_key_and_the_size_that_its_task_asks_for(pods: Any) -> None:
    sizes = {}
    for task_id, pod in pods.items():
        [container] = pod["spec"]["containers"]
        sizes[task_id] = container["resources"]["limits"]
        [secret] = [each for each in pod["spec"]["volumes"] if "secret" in each]
        mounts = {each["name"]: each for each in container["volumeMounts"]}
        assert mounts[secret["name"]] == {
            "name": "salesforce", "mountPath": "/run/secrets/salesforce", "readOnly": True,
        }  # fmt: skip
        assert secret["secret"]["defaultMode"] == 0o440
        assert not [each for each in pod["spec"]["volumes"] if "hostPath" in each]
        # The key is in the secret alone.
        assert "PRIVATE KEY" not in str(pod)
    assert sizes == {
        "contacts": {"cpu": "1", "memory": "1Gi"},
        "titles": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "10Gi"},
    }


def test_the_connection_of_the_page_is_read_from_the_mount(pods: Any) -> None:
    [text] = re.findall(r"```yaml\n(salesforce_jwt_default:.*?)```", PAGE, re.DOTALL)
    connection = yaml.safe_load(text)["salesforce_jwt_default"]
    [container] = pods["titles"]["spec"]["containers"]
    mount = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == "salesforce")
    settings = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert connection["extra"]["key_file"] == f"{mount}/salesforce.key"
    assert f'"{mount}/connections.yaml"' in settings["AIRFLOW__SECRETS__BACKEND_KWARGS"]
