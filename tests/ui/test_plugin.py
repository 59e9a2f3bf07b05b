from __future__ import annotations

import subprocess
import sys
from importlib import reload
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from airflow_provider_sfjwt.ui import plugin
from airflow_provider_sfjwt.ui.application import application


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = [
        each for each in entry_points(group="airflow.plugins") if each.value.startswith("airflow_provider_sfjwt")
    ]
    assert found.load() is plugin.SalesforcePlugin


def test_the_plugin_costs_a_process_next_to_nothing() -> None:
    program = (
        "import sys, airflow.plugins_manager; before = set(sys.modules)\n"
        "import airflow_provider_sfjwt.ui.plugin\n"
        "new = set(sys.modules) - before\n"
        "print(sorted(name for name in new if not name.startswith('airflow_provider_sfjwt')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_one_entry_in_the_navigation_and_no_tab() -> None:
    (view,) = plugin.SalesforcePlugin.external_views
    assert view["destination"] == "nav"
    assert view["href"] == "salesforce-jwt/"


def test_a_tab_by_configuration_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__UI_TAB", "True")
    views = reload(plugin).SalesforcePlugin.external_views
    assert [view["destination"] for view in views] == ["nav", "task_instance"]
    assert views[1]["href"] == "salesforce-jwt/report/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}"
    monkeypatch.undo()
    reload(plugin)


def test_an_airflow_with_other_internals_gets_501_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    other: Any = ModuleType("airflow.api_fastapi.core_api.security")
    monkeypatch.setitem(sys.modules, other.__name__, other)
    for name in ("airflow_internals", "pages", "run_page", "overview_page", "instances_page"):
        monkeypatch.delitem(sys.modules, f"airflow_provider_sfjwt.ui.{name}", raising=False)
    answer = TestClient(application()).get("/")
    assert answer.status_code == 501
    assert "GetUserDep" in answer.text or "requires_access_dag" in answer.text
    assert "Tasks are not affected" in answer.text
