"""Arguments of the wrong kind are told by name, and are not retried: no raw error, and no job."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.extract_task import extract
from tests.operators.extracted import names_in

NOON = datetime(2026, 11, 5, 12, tzinfo=timezone.utc)
EARLIER = NOON - timedelta(days=1)

BOTH: list[tuple[str, Any, str]] = [
    ("parallel_pages", "4", "must be a whole number, not str '4'"),
    ("parallel_pages", 0, "must be at least 1"),
    ("min_api_calls_left", "5", "must be a whole number, not str '5'"),
    ("timeout", "5", "must be a number of seconds, not str '5'"),
    ("timeout", None, "must be a number of seconds, not None"),
    ("timeout", float("inf"), "must be a number of seconds, not float inf"),
    ("poll_interval", "30", "must be a number of seconds, not str '30'"),
    ("poll_interval", 0, "must be more than 0 seconds"),
    ("fields", "Id,Name", "must be a list of names, not str 'Id,Name'"),
    ("fields", ["Id", None], "must hold names, not None"),
    ("fields", ["Id", "Name", "id"], "names Id, id more than once"),
    ("fields", 5, "must be a list of names, not int 5"),
    ("include_deleted", "false", "must be True or False, not str 'false'"),
    ("verify_job_count", None, "must be True or False, not None"),
    ("where", 5, "must be text, not int 5"),
    ("where", "None", "is the text 'None', to which a template renders"),
    ("where", " ", "is empty"),
    ("sobject", "None", "is the text 'None', to which a template renders"),
    ("sobject", "", "is empty"),
    ("sobject", ["Account"], "must be text, not list ['Account']"),
    ("cursor_field", None, "must be text, not None"),
    ("cursor_field", "None", "is the text 'None'"),
    ("file_format", None, "must be text, not None"),
    ("compression", 9, "must be text, not int 9"),
    ("transport", ["rest"], "must be text, not list ['rest']"),
    ("output_path", "None", "must name a folder such as s3://conn_id@bucket/x/ds={{ ds }}, not str 'None'"),
    ("output_path", "", "must name a folder such as s3://conn_id@bucket/x/ds={{ ds }}, not str ''"),
    ("output_path", "x/y", "is neither a URL nor an absolute path"),
    ("output_path", "~/x", "is neither a URL nor an absolute path"),
]
OPERATOR: list[tuple[str, Any, str]] = [
    *BOTH,
    ("commit_lag", "300", "must be a number of seconds, not str '300'"),
    ("commit_lag", -1, "must be at least 0 seconds"),
    ("deferrable", "false", "must be True or False, not str 'false'"),
    ("salesforce_conn_id", "None", "is the text 'None'"),
    ("api_version", "abc", "'abc' is not an API version"),
    ("api_version", "None", "'None' is not an API version"),
    ("incremental", "daily", "'daily' is neither 'watermark' nor 'data_interval' nor None"),
]
HOOK: list[tuple[str, Any, str]] = [
    *BOTH,
    ("window", (None, NOON), "must be two moments, not None"),
    ("window", ("2026-11-04", "2026-11-05"), "must be two moments, not str '2026-11-04'"),
    ("window", (1, 2), "must be two moments, not int 1"),
    ("window", (), "must be two moments, not tuple ()"),
    ("window", (NOON.replace(tzinfo=None), NOON), "holds a moment without a time zone"),
    ("window", (NOON, EARLIER), "ends at 2026-11-04 12:00:00+00:00, before it begins at 2026-11-05 12:00:00+00:00"),
]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that depends on where the worker runs must not come to lie among the sources."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.mark.parametrize(("name", "value", "said"), OPERATOR)
def test_the_operator_names_the_argument(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, name: str, value: Any, said: str
) -> None:
    operator = extract(tmp_path / "data")
    setattr(operator, name, value)  # as a template leaves it
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    assert f"{name}: {said}" in str(caught.value) or (name == "output_path" and said in str(caught.value))
    assert not org.jobs
    assert names_in(tmp_path) == ["cwd"]
    assert names_in(tmp_path / "cwd") == []


@pytest.mark.parametrize(("name", "value", "said"), HOOK)
def test_the_hook_names_the_argument(org: SimulatedOrg, tmp_path: Path, name: str, value: Any, said: str) -> None:
    order = {"output_path": f"file://{tmp_path}/data", "sobject": "Account", name: value}
    with pytest.raises(ConfigurationError) as caught:
        SalesforceJwtHook().extract(**order)
    assert list(caught.value.fields) == [name]
    assert said in caught.value.fields[name]
    assert not org.jobs
    assert names_in(tmp_path) == ["cwd"]
    assert names_in(tmp_path / "cwd") == []


def test_a_window_the_wrong_way_round_leaves_the_earlier_data_set(org: SimulatedOrg, tmp_path: Path) -> None:
    folder = f"file://{tmp_path}"
    before = SalesforceJwtHook().extract(output_path=folder, sobject="Account", window=(EARLIER, NOON))
    assert before.records
    with pytest.raises(ConfigurationError, match="before it begins"):
        SalesforceJwtHook().extract(output_path=folder, sobject="Account", window=(NOON, EARLIER))
    assert SalesforceJwtHook().read_receipt(folder) == before


def test_all_faults_of_a_task_come_at_once(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    wrong = {
        "salesforce_conn_id": "",
        "api_version": "x",
        "deferrable": "yes",
        "timeout": 0,
        "output_path": "x",
        "sobject": "None",
        "fields": "Id",
        "compression": 1,
        "incremental": "daily",
        "commit_lag": -1,
        "parallel_pages": "4",
    }
    operator = extract(tmp_path)
    for name, value in wrong.items():
        setattr(operator, name, value)  # as a template leaves it
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    assert isinstance(caught.value.__context__, ConfigurationError)
    assert caught.value.__context__.fields.keys() == wrong.keys()
    assert not org.requests


@pytest.mark.parametrize("soql", ["None", "", 5])
def test_a_query_that_is_none(org: SimulatedOrg, tmp_path: Path, soql: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SalesforceJwtHook().extract(output_path=f"file://{tmp_path}", soql=soql)
    assert list(caught.value.fields) == ["soql"]


@pytest.mark.parametrize("api_version", ["66", "66.0", "v66.0", 66])
def test_every_spelling_of_an_api_version(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, api_version: Any
) -> None:
    extract(tmp_path, api_version=api_version).execute(context)
    assert SalesforceJwtHook().read_receipt(f"file://{tmp_path}").api_version == "66.0"
