"""Loads and watermarks whose memory is in Airflow's Variables, as before Airflow 3.3, and what 3.3 makes of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.comms import PutVariable

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.compat import StateNotKeptError, VariableStore
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.compat.supervisor import Supervisor, supervisor
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, extract, rows_of
from tests.operators.load_task import JOB, counted, in_org, items, task
from tests.orgs import changed_org, items_org

__all__ = ["changed_org", "items_org", "supervisor"]

SCOPE = ("dag", "run", "load", "-1")
WRITES = 12  # of the load here at least; their number varies with the order of its four parts


def run(run_id: str = "run") -> dict[str, Any]:
    """The context of an attempt. Airflow 3.3 has a store of its own, in whose place the Variables stand here."""
    ti = SimpleNamespace(dag_id="dag", run_id=run_id, task_id="load", map_index=-1, xcom_push=lambda **_: None)
    return {"ti": ti} | (
        {"task_state_store": VariableStore("task", SCOPE, "", "")} if compat.has_state_stores() else {}
    )


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_a_load_that_was_cut_by_503s_loads_each_row_once(
    items_org: SimulatedOrg, supervisor: Supervisor, deferrable: bool
) -> None:
    items_org.add_fault(Fault("GET", JOB, times=None, status=503))
    with pytest.raises(SalesforceError, match="503"):
        run_to_end(task("Item__c", items(24), deferrable=deferrable), run())
    items_org.clear_faults()
    assert run_to_end(task("Item__c", items(24), deferrable=deferrable), run())["records"] == 24
    assert in_org(items_org) == counted(items(24))
    assert supervisor.variables == {}


@pytest.mark.parametrize("written", range(WRITES))
def test_a_write_that_fails_is_red_and_nothing_is_sent_twice(
    items_org: SimulatedOrg, supervisor: Supervisor, written: int
) -> None:
    supervisor.failing, supervisor.fail_after = (PutVariable,), written
    with pytest.raises(StateNotKeptError, match="a retry could send rows twice"):
        run_to_end(task("Item__c", items(24), deferrable=False), run())
    if written == 0:  # the first write is a trial, before anything is sent
        assert items_org.jobs == {}
    supervisor.failing = ()
    assert run_to_end(task("Item__c", items(24), deferrable=False), run())["records"] == 24
    assert in_org(items_org) == counted(items(24))


def test_a_run_that_was_made_again_and_cannot_sign_in_at_first_sends_its_rows(
    items_org: SimulatedOrg, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(try_number: int, moment: int) -> dict[str, Any]:
        context = run()
        made = f"{moment:08x}-0000-7000-8000-000000000000"
        vars(context["ti"]).update(try_number=try_number, max_tries=1, id=made)
        return context

    run_to_end(task("Item__c", items(4), deferrable=False), attempt(1, 1))
    for row in items_org.rows("Item__c"):
        items_org.delete("Item__c", row["Id"])
    with monkeypatch.context() as patch, SimulatedOrg() as gone:
        patch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", gone.connection_json())
        gone.add_fault(Fault("POST", "*/token", times=None, status=503))
        with pytest.raises(SalesforceError):
            run_to_end(task("Item__c", items(4), deferrable=False), attempt(1, 8))
    assert run_to_end(task("Item__c", items(4), deferrable=False), attempt(2, 9))["records"] == 4
    assert len([row for row in items_org.rows("Item__c") if not row["IsDeleted"]]) == 4


def watermark(path: Path) -> Any:
    """Before 3.3 the task needs no asset."""
    inlets = [ACCOUNTS] if compat.has_state_stores() else []
    return extract(path, incremental="watermark", deferrable=False, inlets=inlets)


def test_airflow_3_3_goes_on_from_the_watermark_of_3_2(
    org: SimulatedOrg, supervisor: Supervisor, tmp_path: Path
) -> None:
    key = "watermark.adhoc_airflow.extract.SystemModstamp"
    state = {"reached": "2026-11-12T00:00:00+00:00", "where": None, "include_deleted": False}
    VariableStore("asset", ("salesforce://salesforce_jwt_default/account",), "", "").set(key, state)
    own = StateStore()
    context = run() | ({"asset_state_store": {ACCOUNTS: own}} if compat.has_state_stores() else {})
    new = org.insert("Account", [{"Name": "new"}])
    SalesforceJwtHook().limits()  # it signs in while the clocks agree
    org.clock_offset = 500
    result = run_to_end(watermark(tmp_path / "1"), context)
    assert result["window"][0] == state["reached"]
    assert [row["Id"] for row in rows_of(tmp_path / "1")] == new
    if compat.has_state_stores():
        assert own.values[key]["reached"] == result["window"][1]
        assert supervisor.variables == {}
    else:
        assert len(supervisor.variables) == 1
    assert run_to_end(watermark(tmp_path / "2"), context)["window"][0] == result["window"][1]
