from __future__ import annotations

import json
import time
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk import DAG, serde
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, SalesforceError
from airflow_provider_sfjwt.sensors.query import SalesforceQuerySensor
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.query import SalesforceQueryTrigger
from tests.operators.airflow_run import event_of, rebuilt
from tests.sensors.conditions import is_closed

BROKEN = Fault(path="*/query*", times=None, status=503)
CLOSED = "SELECT Name FROM Account WHERE Name LIKE 'Closed%'"


def sensor(soql: str = "SELECT Id FROM Account", **arguments: Any) -> SalesforceQuerySensor:
    return SalesforceQuerySensor(
        **{"task_id": "wait", "soql": soql, "poke_interval": 0.05, "timeout": 0.2, **arguments}
    )


def waited(task: SalesforceQuerySensor) -> Any:
    """What the task returns: as Airflow runs it, in the triggerer wherever it defers."""
    try:
        return task.execute({})
    except TaskDeferred as deferred:
        arguments = {"event": event_of(deferred.trigger), **(deferred.kwargs or {})}
        return task.resume_execution(deferred.method_name, arguments, {})


@pytest.fixture(params=[False, True], ids=["on the worker", "in the triggerer"])
def deferrable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "1")
    return bool(request.param)


def test_enough_rows_end_the_waiting(org: SimulatedOrg, deferrable: bool) -> None:
    assert waited(sensor(deferrable=deferrable)) == 25
    assert waited(sensor(deferrable=deferrable, at_least=25)) == 25
    assert waited(sensor("SELECT COUNT() FROM Account", deferrable=deferrable, at_least=25)) == 25
    org.delete("Account", org.rows("Account")[0]["Id"])
    assert waited(sensor(deferrable=deferrable, at_least=25, include_deleted=True)) == 25


def test_only_the_first_page_is_fetched(org: SimulatedOrg, deferrable: bool) -> None:
    assert waited(sensor(deferrable=deferrable, at_least=25)) == 25  # in pages of 10
    assert sum("/query" in request.path for request in org.requests) == 1


def test_rows_that_come_later_are_waited_for(org: SimulatedOrg, deferrable: bool) -> None:
    looks = []

    def close_one_at_the_third_look(page: dict[str, Any]) -> dict[str, Any]:
        looks.append(page["totalSize"])
        if len(looks) == 2:
            org.insert("Account", [{"Name": "Closed Inc."}])
        return page

    org.add_fault(Fault(path="*/query*", times=None, edit_json=close_one_at_the_third_look))
    assert waited(sensor(CLOSED, deferrable=deferrable, timeout=60)) == 1
    assert looks == [0, 0, 1]


def test_a_condition_on_the_first_row(org: SimulatedOrg, deferrable: bool) -> None:
    newest = "SELECT Name FROM Account ORDER BY Name LIMIT 1"
    org.update("Account", org.rows("Account")[0]["Id"], {"Name": "AAA"})
    for condition in (is_closed, "tests.sensors.conditions.is_closed"):
        with pytest.raises(AirflowSensorTimeout):
            waited(sensor(newest, deferrable=deferrable, condition=condition))
    org.update("Account", org.rows("Account")[0]["Id"], {"Name": "Closed"})
    for condition in (is_closed, "tests.sensors.conditions.is_closed"):
        assert waited(sensor(CLOSED, deferrable=deferrable, condition=condition)) == 1


def test_a_timeout_is_not_retried_and_skips_a_soft_sensor(org: SimulatedOrg, deferrable: bool) -> None:
    begun = time.monotonic()
    with pytest.raises(AirflowSensorTimeout, match="timed out|time is up"):
        waited(sensor(CLOSED, deferrable=deferrable))
    assert time.monotonic() - begun < 5
    with pytest.raises(AirflowSkipException):
        waited(sensor(CLOSED, deferrable=deferrable, soft_fail=True))


def test_what_salesforce_refuses_fails_for_good_and_skips_a_soft_sensor(org: SimulatedOrg, deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match="INVALID_TYPE"):
        waited(sensor("SELECT Id FROM Accout", deferrable=deferrable))
    with pytest.raises(AirflowSkipException):
        waited(sensor("SELECT Id FROM Accout", deferrable=deferrable, soft_fail=True))


@pytest.mark.parametrize("argument", ["soft_fail", "never_fail"])
def test_a_policy_of_retries_does_not_stop_a_sensor_from_being_skipped(
    org: SimulatedOrg, deferrable: bool, argument: str
) -> None:
    wrong = sensor("SELECT Id FROM Accout", deferrable=deferrable, **{argument: True})
    wrong.retry_policy = object()
    with pytest.raises(AirflowSkipException):
        waited(wrong)


def test_an_outage_is_retried_also_by_a_soft_sensor(org: SimulatedOrg, deferrable: bool) -> None:
    org.add_fault(BROKEN)
    for soft_fail in (False, True):
        with pytest.raises(SalesforceError) as caught:
            waited(sensor(deferrable=deferrable, soft_fail=soft_fail))
        assert caught.value.retryable
    with pytest.raises(AirflowSkipException):
        waited(sensor(deferrable=deferrable, never_fail=True))


def test_a_silent_sensor_goes_on_after_an_outage(org: SimulatedOrg, deferrable: bool) -> None:
    org.add_fault(Fault(path="*/query*", status=503))
    quiet = sensor(deferrable=deferrable, silent_fail=True, timeout=60)
    if not deferrable:
        assert waited(quiet) == 25
        return
    with pytest.raises(TaskDeferred) as first:
        quiet.execute({})
    broken = event_of(first.value.trigger)
    with pytest.raises(TaskDeferred) as again:
        quiet.execute_complete({}, broken, **first.value.kwargs)
    assert again.value.kwargs == first.value.kwargs  # the time that was left
    assert event_of(again.value.trigger)["rows"] == 25


def test_pauses_grow_up_to_max_wait(org: SimulatedOrg) -> None:
    growing = SalesforceQueryTrigger("SELECT", "c", poll_interval=10, exponential_backoff=True, max_wait=30)
    assert [growing._longer(10), growing._longer(20)] == [20, 30]
    assert SalesforceQueryTrigger("SELECT", "c", poll_interval=10)._longer(10) == 10


def test_many_sensors_sign_in_once(org: SimulatedOrg, deferrable: bool) -> None:
    before = org.logins
    for _ in range(3):
        assert waited(sensor(deferrable=deferrable)) == 25
    assert org.logins - before == 1


def test_a_deferred_sensor_has_not_spoken_to_salesforce_on_the_worker(org: SimulatedOrg) -> None:
    with pytest.raises(TaskDeferred):
        sensor(deferrable=True).execute({})
    assert not org.requests


def test_the_mode_reschedule_warns_of_its_sign_ins(org: SimulatedOrg, capsys: pytest.CaptureFixture[str]) -> None:
    task = sensor(mode="reschedule", poke_interval=60, deferrable=False)
    task._check_mode()
    assert "deferrable=True" in capsys.readouterr().out
    with pytest.raises(AirflowFailException, match=r"poke_interval: must be at least 60 s .* Set deferrable=True"):
        sensor(mode="reschedule", poke_interval=59, deferrable=False).execute({})
    capsys.readouterr()
    with pytest.raises(TaskDeferred):
        sensor(mode="reschedule", poke_interval=1, deferrable=True).execute({})
    assert "mode='reschedule'" not in capsys.readouterr().out
    assert not org.requests


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"soql": "None"}, "soql: is the text 'None'"),
        ({"at_least": 0}, "at_least: must be at least 1"),
        ({"include_deleted": "no"}, "include_deleted: must be True or False"),
        ({"condition": "closed"}, "condition: 'closed' is not the dotted path of a function"),
        ({"condition": 5}, "condition: must be text, not int 5"),
        ({"salesforce_conn_id": ""}, "salesforce_conn_id: is empty"),
    ],
)
def test_arguments_of_another_kind_are_named_and_not_retried(
    org: SimulatedOrg, deferrable: bool, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(AirflowFailException, match=said):
        waited(sensor(deferrable=deferrable, **arguments))
    assert not org.requests


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tests.sensors.conditions.is_open", "cannot be imported from 'tests.sensors.conditions.is_open'"),
        ("tests.sensors.nothing.is_open", "cannot be imported"),
        ("tests.sensors.conditions.NOT_A_FUNCTION", "is not a function"),
    ],
)
def test_a_condition_that_is_not_there(org: SimulatedOrg, deferrable: bool, path: str, said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        waited(sensor(deferrable=deferrable, condition=path))


def test_a_condition_that_the_triggerer_cannot_import_is_refused_before_it_waits(org: SimulatedOrg) -> None:
    for condition in (lambda row: True, sensor):
        task = sensor(deferrable=True, condition=condition)
        if condition is sensor:
            condition.__module__ = "unusual_prefix_0123_dag"
        with pytest.raises(AirflowFailException, match="condition: is a function that the triggerer cannot import"):
            task.execute({})


def test_what_is_stored_survives_airflows_serialization_and_holds_no_row(org: SimulatedOrg) -> None:
    stored = SalesforceQueryTrigger("SELECT Id FROM Account", "salesforce_jwt_default", deadline=1.5)
    path, arguments = stored.serialize()
    assert serde.deserialize(serde.serialize(arguments)) == arguments
    assert rebuilt(stored).serialize() == (path, arguments)
    assert SalesforceQueryTrigger("SELECT", "c", of_a_later_release=True).soql == "SELECT"
    event = event_of(stored)
    assert event == {"status": "rows", "rows": 25, "api_calls": 1}


# -- start_from_trigger ------------------------------------------------------------------------------------------------


def test_the_scheduler_may_start_it_in_the_triggerer(org: SimulatedOrg) -> None:
    task = sensor("SELECT Id FROM Account WHERE Name > '{{ ds }}'", start_from_trigger=True, timeout=90)
    start = task.start_trigger_args
    assert start is not None
    assert (start.trigger_cls, start.next_method) == (task.trigger_path, "execute_complete")
    assert start.timeout is not None
    assert start.timeout.total_seconds() == 90
    assert json.loads(json.dumps(start.trigger_kwargs)) == start.trigger_kwargs
    # What Airflow renders in the triggerer: fields of the task that are arguments and attributes of the trigger.
    trigger = SalesforceQueryTrigger(**start.trigger_kwargs)
    assert all(name in start.trigger_kwargs and hasattr(trigger, name) for name in task.template_fields)
    trigger.soql = "SELECT Id FROM Account"
    assert task.resume_execution("execute_complete", {"event": event_of(trigger)}, {}) == 25


def test_it_survives_the_dags_serialization() -> None:
    serialized_objects = import_module("airflow.serialization.serialized_objects")
    # Before Airflow 3.2 it had another name.
    serialization = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    with DAG("waiting", schedule=None) as dag:
        sensor(start_from_trigger=True)
    again = serialization.from_dict(serialization.to_dict(dag)).get_task("wait")
    assert again.start_from_trigger
    assert again.start_trigger_args is not None


def test_without_it_nothing_starts_there() -> None:
    assert sensor().start_trigger_args is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"soql": "SELECT {{ ti.xcom_pull('x') }}"}, "soql: uses 'ti' in a template"),
        ({"soql": "SELECT {{ task_instance.run_id }}"}, "soql: uses 'task_instance'"),
        ({"soql": "SELECT {{ prev_data_interval_start_success }}"}, "soql: uses 'prev_'"),
        ({"soql": "SELECT {% for e in triggering_asset_events %}"}, "soql: uses 'triggering_asset_events'"),
        ({"salesforce_conn_id": "{{ xcom }}"}, "salesforce_conn_id: uses 'xcom'"),
        ({"soql": "waiting.soql"}, "soql: names a template file"),
        ({"soql": ["SELECT"]}, "soql: must be text"),
        ({"at_least": "1"}, "at_least: must be a whole number"),
        ({"silent_fail": True}, "silent_fail: needs a worker"),
        ({"condition": lambda row: True}, "condition: is a function that the triggerer cannot import"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else ",".join(value),
)
def test_what_would_not_work_there_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        sensor(start_from_trigger=True, **arguments)


def test_execution_timeout_would_end_the_waiting() -> None:
    from datetime import timedelta

    with pytest.raises(ConfigurationError, match="execution_timeout: ends the waiting too"):
        sensor(start_from_trigger=True, execution_timeout=timedelta(hours=1))


def test_a_query_that_renders_to_nothing_ends_the_task(org: SimulatedOrg) -> None:
    trigger = SalesforceQueryTrigger("None", "salesforce_jwt_default")
    with pytest.raises(AirflowFailException, match="soql: is the text 'None'"):
        sensor().execute_complete({}, event_of(trigger))


def test_an_error_keeps_its_kind_on_the_worker(org: SimulatedOrg) -> None:
    org.api_calls = 100_000
    with pytest.raises(ApiError, match="run again later"):
        waited(sensor(deferrable=False))
