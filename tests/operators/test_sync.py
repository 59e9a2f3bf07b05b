"""A sync's group, task by task: what each passes on, what a large window does to the chain, and when it may be parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError, ObjectsFailedError
from airflow_provider_sfjwt.operators.sync import SalesforceSyncGroup, SyncLargeOperator
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.sync.applied import applied, in_org

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    records = {"Account": 25, "Contact": 5}
    with SimulatedOrg(records=records, rest_page_size=10, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.clock_offset = 2
        yield running


class Events:
    """Records what is emitted through an alias, as Airflow's ``outlet_events`` does."""

    def __init__(self) -> None:
        self.added: dict[str, Any] = {}

    def __getitem__(self, alias: Any) -> Events:
        return self

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        """Take an event, of which there may be one for an asset."""
        assert asset.uri not in self.added
        self.added[asset.uri] = extra


class Group:
    """A group of two objects, whose tasks are run one by one."""

    def __init__(self, root: Path, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"commit_lag": 0, "rest_rows": 20, "poll_interval": 0.05}
        with DAG("crm", schedule=None, start_date=START, max_active_runs=1) as dag:
            objects = ["Account", "Contact"]
            self.group = SalesforceSyncGroup(
                "salesforce", objects=objects, output_path=f"file://{root}", **{**defaults, **arguments}
            )
        self.dag = dag
        self.root = root
        self.events = Events()

    def run(self, task: str, run_id: str, **instance: int) -> Any:
        """What a task returns. The events are those since the last plan."""
        if task == "plan":
            self.events = Events()
        return self.dag.get_task(f"salesforce.{task}").execute(self.context(task, run_id, **instance))

    def context(self, task: str, run_id: str, **instance: int) -> Any:
        """Of a task instance."""
        known = {"map_index": -1, "xcom_push": lambda **_: None, **instance}
        instance_of = SimpleNamespace(dag_id="crm", run_id=run_id, task_id=f"salesforce.{task}", **known)
        return {"ti": instance_of, "outlet_events": self.events}

    def large(self, arguments: dict[str, Any], run_id: str, *, deferrable: bool) -> dict[str, Any]:
        """Run an instance of ``large`` to its end, as Airflow makes it of what ``small`` returned."""
        mapped = self.dag.get_task("salesforce.large")
        kwargs = {**mapped.partial_kwargs, **arguments, "deferrable": deferrable}  # type: ignore[attr-defined]
        kwargs = {name: value for name, value in kwargs.items() if name not in ("task_group", "dag")}
        operator = SyncLargeOperator(task_id="large", **kwargs)
        return run_to_end(operator, self.context("large", run_id, map_index=0))  # type: ignore[no-any-return]

    def sequence(self, sobject: str) -> int:
        """How far the state of an object is."""
        return int(json.loads((self.root / sobject / "_state.json").read_text())["sequence"])


@pytest.fixture
def group(org: SimulatedOrg, tmp_path: Path) -> Group:
    return Group(tmp_path / "salesforce")


def test_the_tasks_and_their_order(group: Group) -> None:
    tasks = {task.task_id.partition(".")[2]: task for task in group.dag.tasks}
    assert list(tasks) == ["plan", "small", "large", "summary"]
    downstream = {
        name: sorted(each.partition(".")[2] for each in task.downstream_task_ids) for name, task in tasks.items()
    }
    assert downstream == {
        "plan": ["small", "summary"],
        "small": ["large", "summary"],
        "large": ["summary"],
        "summary": [],
    }


@pytest.mark.parametrize("runs", [None, 2])
def test_a_dag_that_may_run_twice_at_once_is_refused_when_it_is_parsed(runs: int | None, tmp_path: Path) -> None:
    limit = {} if runs is None else {"max_active_runs": runs}
    said = r"max_active_runs: is \d+ for Dag 'crm', and a sync needs 1"
    with DAG("crm", schedule=None, start_date=START, **limit), pytest.raises(ConfigurationError, match=said):  # type: ignore[arg-type]
        SalesforceSyncGroup("salesforce", objects=["Account"], output_path=f"file://{tmp_path}")


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_a_large_window_is_left_to_a_task_of_its_own(group: Group, org: SimulatedOrg, deferrable: bool) -> None:
    assert group.run("plan", "r1")["objects"] == 2
    (arguments,) = group.run("small", "r1")
    assert (arguments["sobject"], arguments["chained"]["sequence"]) == ("Account", 1)
    assert json.loads(json.dumps(arguments)) == arguments  # an XCom
    result = group.large(arguments, "r1", deferrable=deferrable)
    assert (result["records"], len(org.jobs), group.sequence("Account")) == (25, 1, 1)
    summary = group.run("summary", "r1")
    assert (summary["objects"], summary["records"], summary["failed"]) == (2, 30, [])
    outcomes = json.loads(Path(summary["summary"].removeprefix("file://")).read_text())["outcomes"]
    assert {each["sobject"]: each["transport"] for each in outcomes} == {"Account": "bulk", "Contact": "rest"}
    assert not (group.root / "_lease.json").exists()

    again = group.large(arguments, "r1", deferrable=deferrable)  # cleared, or an attempt that died after its receipt
    assert (again["already_published"], len(org.jobs), group.sequence("Account")) == (True, 1, 1)
    org.clock_offset += 2
    group.run("plan", "r2")
    assert group.run("small", "r2") == []
    assert group.run("summary", "r2")["records"] == 0
    assert group.sequence("Account") == 2


def test_a_large_window_brings_deletions_and_the_rows_of_a_new_field(org: SimulatedOrg, tmp_path: Path) -> None:
    group = Group(tmp_path / "salesforce", deletes="ids", deletes_every=1)
    for run_id in ("first", "second"):
        group.events = Events()
        group.run("plan", run_id)
        for arguments in json.loads(json.dumps(group.run("small", run_id))):
            group.large(arguments, run_id, deferrable=True)
        group.run("summary", run_id)
        purged, *others = (str(row["Id"]) for row in org.rows("Account"))
        if run_id == "first":
            org.delete("Account", purged)
            org.purge("Account", purged)
            org.add_field("Account", Field("New__c"))
            for record in others:
                stamps = {"SystemModstamp": org.now() - timedelta(days=9)}
                org.update("Account", record, {"New__c": "of an old row", **stamps})
        org.clock_offset += 5
    *_, last = read_sync(group.root, "Account")
    assert (last.receipt.transport, last.receipt.backfilled) == ("bulk", ("New__c",))
    assert (len(last.deleted_ids()), last.rows().read_all().num_rows) == (1, 24)
    assert applied(group.root, "Account") == in_org(org, "Account")


def test_a_large_window_whose_task_failed_is_named(group: Group) -> None:
    group.run("plan", "r1")
    group.run("small", "r1")
    with pytest.raises(AirflowFailException, match=r"1 of 2 objects failed \(Account\).*see the logs of 'large'"):
        group.run("summary", "r1")
    group.run("plan", "r2")
    (arguments,) = group.run("small", "r2")  # the next run has it
    assert arguments["chained"]["sequence"] == 1


def test_small_is_tried_again_until_its_last_attempt_which_succeeds(group: Group, org: SimulatedOrg) -> None:
    org.add_fault(Fault(path="*/Contact/describe", status=500, times=None))
    group.run("plan", "r1")
    with pytest.raises(
        ObjectsFailedError, match=r"1 object failed \(Contact\), which the next attempt asks for"
    ) as tried:
        group.run("small", "r1", try_number=1, max_tries=1)
    assert tried.value.retryable
    assert [each["sobject"] for each in group.run("small", "r1", try_number=2, max_tries=1)] == ["Account"]


def test_events_are_of_objects_with_rows_or_deleted_records_each_once(org: SimulatedOrg, tmp_path: Path) -> None:
    group = Group(tmp_path / "salesforce", rest_rows=100, deletes="ids", deletes_every=0.001)
    gone = str(org.rows("Contact")[0]["Id"])

    def emitted(run_id: str) -> dict[str, tuple[int, int]]:
        group.run("plan", run_id)
        group.run("small", run_id)
        return {
            uri.rpartition("/")[2]: (extra["records"], extra["deleted"]) for uri, extra in group.events.added.items()
        }

    assert emitted("r1") == {"Account": (25, 0), "Contact": (5, 0)}
    assert emitted("r1") == {}  # cleared: each event once in a run
    group.run("summary", "r1")
    org.clock_offset += 2
    org.delete("Contact", gone)
    org.purge("Contact", gone)
    org.clock_offset += 2
    assert emitted("r2") == {"Contact": (0, 1)}


def test_a_task_that_is_cleared_alone_keeps_no_lease(group: Group, org: SimulatedOrg) -> None:
    group.run("plan", "r1")
    assert len(group.run("small", "r1")) == 1
    with pytest.raises(AirflowFailException):
        group.run("summary", "r1")
    assert len(group.run("small", "r1")) == 1
    assert not (group.root / "_lease.json").exists()
    group.run("plan", "r1")  # all of it is cleared
    group.run("small", "r1")
    assert (group.root / "_lease.json").exists()


def test_a_run_without_a_plan_says_where_to_look(group: Group, tmp_path: Path) -> None:
    said = r"this run has no plan in .*see the log of task 'plan'. If another worker wrote there"
    with pytest.raises(AirflowFailException, match=said):
        group.run("summary", "r1")


def test_a_receipt_that_is_gone_is_named_in_the_summary(group: Group) -> None:
    group.run("plan", "r1")
    group.run("small", "r1")
    for receipt in (group.root / "Contact").glob("w=*/_receipt.json"):
        receipt.unlink()
    with pytest.raises(AirflowFailException, match=r"Contact: .*_receipt.json is gone, which the state names"):
        group.run("summary", "r1")


def test_failed_objects_may_be_allowed(org: SimulatedOrg, tmp_path: Path) -> None:
    group = Group(tmp_path / "salesforce", max_failed_objects=1)
    group.run("plan", "r1")
    group.run("small", "r1")
    assert group.run("summary", "r1")["failed"] == ["Account"]
