"""Parameters of the official provider that none of the tasks shown in ``docs/migrating.md`` gives."""

from __future__ import annotations

import csv
import json
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from airflow.sdk.definitions._internal.templater import SandboxedEnvironment
from requests.adapters import HTTPAdapter

from airflow_provider_sfjwt.doctor.official_connection import convert
from airflow_provider_sfjwt.get_provider_info import get_provider_info
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.migrating.read_rows import names, objects, rows
from tests.migrating.table import TABLE

pytest.importorskip(
    "airflow.providers.salesforce",
    reason="missing: the official provider (pip install apache-airflow-providers-salesforce)",
)
from airflow.providers.salesforce.hooks.salesforce import SalesforceHook
from simple_salesforce import Salesforce

from tests.migrating import operators

BULK = "SalesforceBulkOperator"
SOQL = "SELECT Id, Name FROM Account ORDER BY Id"


class Rerouted(HTTPAdapter):
    """Carries what is meant for Salesforce's own address to an org elsewhere.

    :param url: of that org.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, **arguments: Any) -> Any:
        request.url = request.url.replace("https://login.salesforce.com", self._url)
        return super().send(request, **arguments)


@pytest.fixture
def own_conn(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> SimulatedOrg:
    """The org, at which the official hook signs in by itself."""
    monkeypatch.undo()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(org.ca_bundle))
    return org


def test_a_connection_with_a_key(own_conn: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    org = own_conn
    extra = json.dumps({"consumer_key": org.consumer_key, "private_key": org.private_key})
    official = {"conn_type": "salesforce", "login": org.username, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(official))
    session = requests.Session()
    session.mount("https://login.salesforce.com", Rerouted(org.url))
    theirs = SalesforceHook(salesforce_conn_id="crm", session=session).make_query(SOQL)["records"]

    made = convert(login=org.username, password=None, extra=extra).fields
    assert made["host"] == "https://login.salesforce.com"
    monkeypatch.setenv("AIRFLOW_CONN_CRM_JWT", json.dumps({**made, "host": org.url}))
    ours = list(SalesforceJwtHook(salesforce_conn_id="crm_jwt").query(SOQL))

    assert ours == [{name: row[name] for name in ("Id", "Name")} for row in theirs]
    assert org.login_history == ["success", "success"]
    TABLE.add("SalesforceHook(salesforce_conn_id), by key", "airflow-salesforce-jwt from-salesforce, then its id")
    TABLE.add("SalesforceHook(session)", "SalesforceJwtHook()", "proxy, authorities and timeouts are in the connection")


def test_a_session_id(own_conn: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    org = own_conn
    fields = {"conn_type": "salesforce", "extra": {"instance_url": org.url}}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps(fields))
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
    hook = SalesforceHook(session_id=org.issue_session())
    assert len(hook.make_query(SOQL)["records"]) == len(list(SalesforceJwtHook().query(SOQL))) == 25
    org.expire_sessions()
    with pytest.raises(Exception, match="INVALID_SESSION_ID"):
        hook.make_query(SOQL)
    assert len(list(SalesforceJwtHook().query(SOQL))) == 25
    TABLE.add("SalesforceHook(session_id)", "SalesforceJwtHook()", "signs in by itself, and again when a session dies")


def test_another_connection_of_each_operator(
    org: SimulatedOrg, store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each task is told the id of a second org's connection, which has one account."""
    with SimulatedOrg(tls=True, records={"Account": 1}, bulk_polls=0) as other:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_bundle))
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", other.connection_json())
        client = Salesforce(session_id=other.issue_session(), instance_url=other.url)
        monkeypatch.setattr(SalesforceHook, "conn", client)
        other.apex_rest("POST", "/invoices/v1", {"org": "other"})
        payload = [{"LastName": "a"}]
        operators.official_bulk("insert", payload, salesforce_conn_id="other").execute({})
        operators.bulk("insert", payload, salesforce_conn_id="other").execute({})
        assert len([row for row in other.rows("Contact") if row["LastName"] == "a"]) == 2
        for task in (operators.official_apex(), operators.apex()):
            assert operators.given(task, {"salesforce_conn_id": "other"}).execute({}) == {"org": "other"}
        operators.official_to_s3(salesforce_conn_id="other").execute({})
        assert operators.to_s3(salesforce_conn_id="other").execute({})["records"] == 1
        assert len(rows(objects(store, "official/")[0].decode())) == 1
    TABLE.add("salesforce_conn_id of each operator", "salesforce_conn_id")


def test_upsert_by_record_id(org: SimulatedOrg) -> None:
    official, here = org.insert("Contact", [{"LastName": "a"}, {"LastName": "a"}])
    operators.official_bulk("upsert", [{"Id": official, "LastName": "b"}]).execute({})
    operators.bulk("upsert", [{"Id": here, "LastName": "b"}], external_id_field="Id").execute({})
    changed = {row["Id"]: row["LastName"] for row in org.rows("Contact")}
    assert (changed[official], changed[here]) == ("b", "b")
    TABLE.add(f'{BULK}(operation="upsert"), by Id', '(external_id_field="Id")')


def test_other_codes_that_pass(org: SimulatedOrg) -> None:
    org.lock_records("Contact", {"LastName": "a"}, times=1)
    codes = ["UNABLE_TO_LOCK_ROW"]
    answer = operators.official_bulk(
        "insert", [{"LastName": "a"}], max_retries=1, bulk_retry_delay=0, transient_error_codes=codes
    ).execute({})
    assert [row["success"] for row in answer] == [True]
    org.lock_records("Contact", {"LastName": "b"}, times=1)
    assert operators.bulk("insert", [{"LastName": "b"}]).execute({})["counts"]["succeeded"] == 1
    TABLE.add(f"{BULK}(transient_error_codes, bulk_retry_delay)", "(row_retries=2), its default", "the codes are known")


DATED = "SELECT Id, CreatedDate FROM Account"


def test_moments_as_numbers_and_the_time_of_the_query(org: SimulatedOrg, store: Any, tmp_path: Path) -> None:
    before = time.time()
    operators.official_to_s3(salesforce_query=DATED, coerce_to_timestamp=True, record_time_added=True).execute({})
    here = operators.to_s3(
        soql=DATED,
        file_format="parquet",
        output_path=f"file://{tmp_path}/fetched={{{{ dag_run.run_after | ts_nodash }}}}",
    )
    run = SimpleNamespace(run_after=datetime(2026, 11, 20, 2, tzinfo=timezone.utc))
    here.render_template_fields({"dag_run": run}, SandboxedEnvironment())
    here.execute({})
    theirs = list(csv.DictReader(objects(store, "official/")[0].decode().splitlines()))
    table = pq.read_table(next(tmp_path.glob("fetched=20261120T020000/part-*")))
    ours = {row["Id"]: row["CreatedDate"].timestamp() for row in table.to_pylist()}
    assert ours == {row["id"]: float(row["createddate"]) for row in theirs}
    TABLE.add("SalesforceToS3Operator(coerce_to_timestamp)", 'file_format="parquet"', "typed moments, in UTC")
    assert all(before <= float(row["time_fetched_from_salesforce"]) <= time.time() for row in theirs)
    TABLE.add("SalesforceToS3Operator(record_time_added)", "the run's time in output_path", "no column")


def test_query_params(org: SimulatedOrg, store: Any) -> None:
    headers = {"Sforce-Query-Options": "batchSize=200"}
    operators.official_to_s3(query_params={"headers": headers}).execute({})
    ours = SalesforceJwtHook().get_conn().query_all(operators.SOQL, headers=headers)["records"]
    assert [row["id"] for row in rows(objects(store, "official/")[0].decode())] == [row["Id"] for row in ours]
    TABLE.add("SalesforceToS3Operator(query_params)", "hook.get_conn().query_all(soql, headers=…)")


def test_replace(org: SimulatedOrg, store: Any) -> None:
    operators.official_to_s3().execute({})
    with pytest.raises(ValueError, match="already exists"):
        operators.official_to_s3(replace=False).execute({})
    store.put_object(Bucket="lake", Key="accounts/of_others.txt", Body=b"x")
    operators.to_s3().execute({})
    first = names(store, "accounts/")
    operators.to_s3().execute({})
    second = names(store, "accounts/")
    assert set(first) & set(second) == {"accounts/_receipt.json", "accounts/of_others.txt"}
    assert len(first) == len(second) == 3
    store.delete_object(Bucket="lake", Key="accounts/of_others.txt")
    TABLE.add("SalesforceToS3Operator(replace)", "a run replaces its own folder", "and never the files of others")


def test_the_form() -> None:
    theirs = SalesforceHook.get_ui_field_behaviour()
    (ours,) = [each["ui-field-behaviour"] for each in get_provider_info()["connection-types"]]
    assert theirs["relabeling"].items() <= ours["relabeling"].items()
    assert "schema" in set(theirs["hidden_fields"]) & set(ours["hidden-fields"])
    TABLE.add("SalesforceHook.get_ui_field_behaviour()", "get_provider_info()", "the form is data")
