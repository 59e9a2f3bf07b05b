"""The report that a task leaves in XCom, whether it succeeds or fails: what it says, and what it never says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sfjwt.compat import AirflowException
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.tasks.links import SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.task_report import KEY, MOST_BYTES, TaskReport
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import FIELDS, WAYS, extract
from tests.operators.load_task import items, task

CANARY = "canary-4711"
pytestmark = pytest.mark.usefixtures("no_waiting")


class Instance(SimpleNamespace):
    """A task instance that keeps what is pushed, as Airflow's database would."""

    def __init__(self, *, attempt: int = 1, attempts: int = 0) -> None:
        super().__init__(dag_id="dag", run_id="run", task_id="task", map_index=-1, try_number=attempt)
        self.max_tries = attempts
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value

    @property
    def report(self) -> TaskReport:
        """As the page reads it."""
        content = json.dumps(self.pushed[KEY])
        assert len(content) <= MOST_BYTES
        return TaskReport.from_json(json.loads(content))


def context(instance: Instance) -> dict[str, Any]:
    return {"ti": instance, "task_state_store": StateStore()}


def reported(operator: Any, instance: Instance | None = None, *, fails: bool = False) -> TaskReport:
    """Run a task to its end, and read its report."""
    instance = instance or Instance()
    if fails:
        with pytest.raises((AirflowException, SalesforceError)):
            run_to_end(operator, context(instance))
    else:
        run_to_end(operator, context(instance))
    return instance.report


@WAYS
def test_an_extract(org: SimulatedOrg, tmp_path: Path, deferrable: bool) -> None:
    window = ("2026-11-02T00:00:00+00:00", "2026-11-12T00:00:00+00:00")
    report = reported(extract(tmp_path, deferrable=deferrable, window=window, transport="bulk"))
    assert (report.kind, report.sobject, report.transport, report.window) == ("extract", "Account", "bulk", window)
    assert report.rows == sum(part.rows for part in report.parts) == 900
    assert report.bytes == sum(path.stat().st_size for path in tmp_path.glob("part-*"))
    assert [part.rows for part in report.parts] == [300, 300, 300]
    assert min(part.began for part in report.parts if part.began is not None) == 0
    assert all(part.seconds is not None and part.seconds >= 0 for part in report.parts)
    assert report.soql.startswith("SELECT Id, Name")
    assert list(report.columns) == FIELDS
    assert report.drift is None
    assert report.paths["receipt"] == f"file://{tmp_path}/_receipt.json"
    assert report.api_calls is not None and report.api_calls > 5
    assert report.api_calls_left is not None and report.api_calls_allowed is not None
    assert report.host == org.url.partition("://")[2]
    assert [job.url.startswith(org.url) for job in report.jobs] == [True]
    assert report.failure is None
    assert report.attempt == 1


def test_an_extract_whose_columns_changed(org: SimulatedOrg, tmp_path: Path) -> None:
    reported(extract(tmp_path, transport="rest"))
    report = reported(extract(tmp_path, fields=["Id", "Industry"], transport="rest"))
    assert report.transport == "rest"
    assert report.drift == {
        "added": ("Industry",),
        "removed": ("Name", "AnnualRevenue", "SystemModstamp"),
        "retyped": (),
    }


def test_an_extract_that_asks_for_a_wrong_field(org: SimulatedOrg, tmp_path: Path) -> None:
    report = reported(extract(tmp_path, fields=["Id", "Nmae"]), fails=True)
    assert report.failure is not None
    assert report.failure.code == "ConfigurationError"
    assert "Nmae" in report.failure.cause
    assert report.failure.remedy == "Correct the arguments of the task: fields."
    assert not report.failure.will_retry
    assert report.sobject == "Account"
    assert report.api_calls


def test_salesforce_refuses_the_query(org: SimulatedOrg, tmp_path: Path) -> None:
    report = reported(extract(tmp_path, where=f"Industri = '{CANARY}'"), fails=True)
    assert report.failure is not None
    assert report.failure.code == "INVALID_FIELD"
    assert report.failure.cause == "argument where: No such column 'Industri' on entity 'Account'"


@pytest.mark.parametrize(("attempt", "will_retry"), [(1, True), (2, False)])
@WAYS
def test_an_attempt_that_may_be_repeated(
    org: SimulatedOrg, tmp_path: Path, deferrable: bool, attempt: int, will_retry: bool
) -> None:
    org.add_fault(Fault(path="*/results*", status=503, times=None))
    report = reported(extract(tmp_path, deferrable=deferrable), Instance(attempt=attempt, attempts=1), fails=True)
    assert report.failure is not None
    assert report.failure.will_retry is will_retry
    assert report.soql.startswith("SELECT Id")
    assert len(report.jobs) == 1


def test_a_sign_in_that_is_refused(org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**json.loads(org.connection_json()), "login": "somebody@example.com"}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(wrong))
    report = reported(extract(tmp_path), fails=True)
    assert report.failure is not None
    assert report.failure.code == "invalid_grant"
    assert report.failure.remedy
    assert report.host == ""


def test_a_connection_that_is_not_there(tmp_path: Path) -> None:
    report = reported(extract(tmp_path, salesforce_conn_id="no_such_connection"), fails=True)
    assert report.failure is not None
    assert "no_such_connection" in report.failure.cause


def test_a_query(org: SimulatedOrg) -> None:
    query = SalesforceQueryOperator(task_id="query", soql="SELECT Id, Name FROM Account LIMIT 7")
    report = reported(query)
    assert (report.kind, report.rows, report.columns) == ("query", 7, ("Id", "Name"))
    assert report.soql == query.soql
    assert report.api_calls


@WAYS
def test_a_load(items_org: SimulatedOrg, deferrable: bool) -> None:
    report = reported(task("Item__c", items(20), deferrable=deferrable))
    assert (report.kind, report.sobject, report.operation) == ("load", "Item__c", "insert")
    assert report.rows == 20
    assert report.counts == {"read": 20, "sent": 20, "succeeded": 20, "failed": 0, "unprocessed": 0}
    assert sum(part.rows for part in report.parts) == 20
    assert all(part.seconds is not None and part.bytes for part in report.parts)
    assert len(report.jobs) == len(report.parts) == 4


@WAYS
def test_a_load_with_losses_names_codes_and_fields_but_no_value(
    items_org: SimulatedOrg, tmp_path: Path, deferrable: bool
) -> None:
    rows = items(20)
    for row in rows[3:6]:
        row["Key__c"] = CANARY
    rows[3]["Key__c"] = rows[4]["Key__c"] = None
    items_org.insert("Item__c", [{"Key__c": CANARY}])
    report = reported(
        task("Item__c", rows, deferrable=deferrable, results_path=f"file://{tmp_path}/results"), fails=True
    )
    assert report.rows == 19
    assert report.counts["failed"] == 1
    assert [(each.code, each.count, each.fields) for each in report.errors] == [("DUPLICATE_VALUE", 1, ("Key__c",))]
    assert report.failure is not None
    assert report.failure.cause == "more rows failed than the task allows: 1 DUPLICATE_VALUE"
    assert "clear the task: it sends only what was not accepted" in report.failure.remedy
    assert report.failure.code == "RecordsFailedError"
    assert f"{tmp_path}/results" in report.failure.remedy
    assert CANARY not in json.dumps(report.to_json())


def test_rows_that_are_refused_before_anything_is_sent(items_org: SimulatedOrg) -> None:
    rows = items(5)
    rows[2]["Number__c"] = CANARY
    report = reported(task("Item__c", rows), fails=True)
    assert report.failure is not None
    assert "1 fault in the rows of the source; nothing was sent. Columns: Number__c." in report.failure.cause
    assert [(each.code, each.count, each.fields) for each in report.errors] == [("INVALID_ROW", 1, ("Number__c",))]
    assert CANARY not in json.dumps(report.to_json())


def test_no_secret_of_the_connection_is_in_any_report(org: SimulatedOrg, tmp_path: Path) -> None:
    connection = json.loads(org.connection_json())
    key = [line for line in connection["extra"]["private_key"].splitlines() if len(line) > 40]
    org.add_fault(Fault(path="*/results*", status=503, times=None))
    texts = [json.dumps(reported(extract(tmp_path / "a"), fails=True).to_json())]
    org.clear_faults()
    texts.append(json.dumps(reported(extract(tmp_path / "b")).to_json()))
    for text in texts:
        assert not [line for line in key if line in text]
        assert connection["extra"]["consumer_key"] not in text
        assert not re.search(r"00D\w{12,15}!", text)


@pytest.mark.parametrize("keeps_results", [False, True])
def test_a_load_whose_answer_was_lost_says_so(items_org: SimulatedOrg, tmp_path: Path, keeps_results: bool) -> None:
    items_org.add_fault(Fault(method="POST", path="*/composite/sobjects*", times=None, lose_answer=True))
    results = {"results_path": f"file://{tmp_path}/results"} if keeps_results else {}
    report = reported(task("Item__c", items(6), transport="rest", **results), fails=True)
    assert report.failure is not None
    assert "it is unknown what was saved" in report.failure.cause
    assert "Compare the org with the source" in report.failure.cause
    assert [each.code for each in report.errors] == ["ANSWER_LOST"] * keeps_results


def test_a_report_that_cannot_be_made_fails_no_task(items_org: SimulatedOrg) -> None:
    class Odd(Instance):
        @property
        def try_number(self) -> int:
            raise RuntimeError("an Airflow that changed")

        @try_number.setter
        def try_number(self, value: int) -> None:
            pass

    query = SalesforceQueryOperator(task_id="query", soql="SELECT COUNT() FROM Item__c")
    instance = Odd()
    assert query.execute(context(instance)) == [{"expr0": 0}]
    assert KEY not in instance.pushed


def test_a_report_that_cannot_be_kept_fails_no_task(items_org: SimulatedOrg, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Instance):
        def xcom_push(self, *, key: str, value: Any) -> None:
            if key == KEY:
                raise ConnectionError("the backend is down")

    operator = SalesforceLoadOperator(task_id="load", sobject="Item__c", operation="insert", source=items(3))
    assert operator.execute(context(Broken()))["records"] == 3


@pytest.mark.parametrize(
    ("base_url", "path"),
    [("http://localhost:8080", ""), ("https://acme.com/air", "/air"), ("https://acme.com/a/b/", "/a/b")],
)
def test_the_link_leads_below_airflows_own_path(monkeypatch: pytest.MonkeyPatch, base_url: str, path: str) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    instance = SimpleNamespace(dag_id="d a", run_id="manual__2026-11-26T07:00:00+00:00", task_id="g.t", map_index=3)
    link = SalesforceReportLink().get_link(None, ti_key=instance)
    assert link == f"{path}/salesforce-jwt/report/d%20a/manual__2026-11-26T07%3A00%3A00%2B00%3A00/g.t/3"
