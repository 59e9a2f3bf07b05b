"""Starting the org: from Python, from the command line, over TLS, on a file, in a fixture."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import requests

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.testing.__main__ import main
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id, record_ids, with_suffix

pytest_plugins = ["pytester"]


def test_connection_json_has_what_a_client_needs():
    with SimulatedOrg(records={}, sandbox=True) as org:
        connection = json.loads(org.connection_json(api_version="66.0"))
    assert connection["conn_type"] == "salesforce_jwt"
    assert (connection["login"], connection["host"]) == (org.username, org.url)
    assert connection["extra"]["consumer_key"] == org.consumer_key
    assert connection["extra"]["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert connection["extra"]["audience"] == "https://test.salesforce.com"
    assert connection["extra"]["api_version"] == "66.0"


def test_sample_rows_are_the_same_each_time_and_spread_over_the_span():
    end = datetime(2026, 11, 1, tzinfo=timezone.utc)
    span = (end - timedelta(hours=10), end)
    orgs = [SimulatedOrg(records={"Account": 10}, modified_between=span) for _ in range(2)]
    first, second = (org.rows("Account") for org in orgs)
    for org in orgs:
        org.close()
    assert first == second
    stamps = [row["SystemModstamp"] for row in first]
    assert stamps == [span[0] + timedelta(hours=hour) for hour in range(10)]


def test_sample_values_are_nasty():
    with SimulatedOrg(records={"Account": 200, "Invoice__c": 50}) as org:
        accounts, invoices = org.rows("Account"), org.rows("Invoice__c")
    names = {row["Name"] for row in accounts}
    assert "NA" in names
    assert any("\n" in name for name in names) and any('"' in name for name in names)
    assert any(row["BillingCity"] != (row["BillingCity"] or "").strip() for row in accounts)
    assert {row["Active__c"] for row in accounts} == {True, False}
    assert any(row["Account__c"] for row in invoices) and not all(row["Account__c"] for row in invoices)


def test_records_outlive_an_org_on_a_file(tmp_path):
    database = str(tmp_path / "org.sqlite")
    with SimulatedOrg(database=database, records={"Lead": 3}) as org:
        org.insert("Lead", [{"LastName": "x", "Company": "y", "Status": "Open"}])
    with SimulatedOrg(database=database, records={"Lead": 3}) as org:
        assert [row["LastName"] for row in org.rows("Lead")][-1] == "x"
        assert len(org.rows("Lead")) == 4
        assert len(org.rows("User")) == 1


def test_stop_and_start_again_on_the_same_port(org, api):
    url = org.url
    org.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        api.get("limits")
    org.start()
    assert org.url == url
    assert api.get("limits").status_code == 200
    with pytest.raises(RuntimeError):
        org.start()


def test_close_ends_the_database():
    with SimulatedOrg(records={}) as org:
        assert "SimulatedOrg" in repr(org) and org.url in repr(org)
    with pytest.raises(sqlite3.ProgrammingError):
        org.rows("Account")


def test_tls_is_verified_against_the_bundle_under_both_names():
    with SimulatedOrg(tls=True, records={}) as org:
        for url in (org.url, org.url.replace("127.0.0.1", "localhost")):
            assert requests.get(f"{url}/services/data", verify=org.ca_bundle, timeout=30).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{org.url}/services/data", verify=True, timeout=30)
        assert json.loads(org.connection_json())["extra"]["ca_bundle"] == org.ca_bundle


def test_ids_have_the_known_suffix():
    assert with_suffix("001000000000000") == "001000000000000AAA"
    assert with_suffix("ABCDEfghijKLMNO") == "ABCDEfghijKLMNO5A5"
    assert len({record_id("001", number) for number in range(1, 5000)}) == 4999
    assert list(itertools.islice(record_ids("001", 55), 9000)) == [record_id("001", n) for n in range(55, 9055)]
    assert canonical_id("0015e0000000001") == "0015e0000000001AAA"
    assert canonical_id("nonsense") is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line(tmp_path, number):
    key, env = tmp_path / "key.pem", tmp_path / "connection.json"
    command = [sys.executable, "-m", "airflow_provider_sfjwt.testing", "--port", "0", "--records", "Account=7,Lead=2"]
    command += ["--key-file", str(key), "--env-file", str(env), "--modified-hours", "48", "--bulk-page-size", "3"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    try:
        first, second = (process.stdout.readline() for _ in range(2))
        connection = json.loads(env.read_text())
        answer = requests.get(f"{connection['host']}/services/data", timeout=30)
    finally:
        process.send_signal(number)
        status = process.wait(30)
    assert connection["host"] in first
    assert second.startswith("export AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT='{")
    assert answer.status_code == 200
    assert status == 0
    assert (key.stat().st_mode & 0o777, env.stat().st_mode & 0o777) == (0o600, 0o600)
    assert connection["extra"]["private_key"] == key.read_text()


@pytest.mark.parametrize("wrong", ["Nothing=5", "Account", "Account=many"])
def test_command_line_says_what_is_wrong(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--port", "0", "--records", wrong])
    assert stopped.value.code == 2
    assert wrong.partition("=")[0] in capsys.readouterr().err


def test_many_clients_at_once(org):
    headers = {"Authorization": f"Bearer {org.issue_session()}"}
    together = threading.Barrier(64)

    def ask(_: int) -> int:
        together.wait(60)
        return requests.get(f"{org.url}/services/data/v66.0/limits", headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(ask, range(64))) == {200}
    assert org.api_calls == 64


def test_faults_over_tls():
    with SimulatedOrg(tls=True, records={}) as org:
        url = f"{org.url}/services/data"
        org.add_fault(Fault(reset=True))
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(url, verify=org.ca_bundle, timeout=30)
        org.add_fault(Fault(cut_at=0.5))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(url, verify=org.ca_bundle, timeout=30)
        assert requests.get(url, verify=org.ca_bundle, timeout=30).status_code == 200


def test_fixtures(pytester):
    pytester.makeconftest('pytest_plugins = ["airflow_provider_sfjwt.testing.pytest_plugin"]')
    pytester.makepyfile(
        """
        import json, os

        def test_org(simulated_org):
            assert simulated_org.rows("Account")

        def test_connection(salesforce_jwt_connection):
            connection = json.loads(os.environ["AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"])
            assert connection["host"] == salesforce_jwt_connection.url
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
