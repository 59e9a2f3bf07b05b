from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.local_airflow.stack import LocalAirflow, Run
from tests.system import canaries
from tests.system.gateway import LoginGateway

DAG_ID, TASK_ID = "any_connection", "extract"
PASSPHRASE = "canary-" + secrets.token_hex(16)


@pytest.fixture(scope="module")
def encrypted_key(running_org: SimulatedOrg) -> str:
    """The org's key, as a security team hands it over."""
    key = serialization.load_pem_private_key(running_org.private_key.encode(), password=None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    ).decode()


def connect(airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, key: str, **extra: str) -> str:
    """Define a connection that signs in by way of the gateway, with the encrypted key."""
    connection = json.loads(org.connection_json(private_key=key, **extra))
    conn_id = "canary_" + secrets.token_hex(4)
    airflow.add_connection(conn_id, json.dumps(connection | {"host": gateway.url, "password": PASSPHRASE}))
    return conn_id


def leaks(airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str) -> list[str]:
    """Every secret that passed so far, wherever it can be found."""
    wanted = {"the passphrase": PASSPHRASE.encode()}
    wanted |= canaries.of_key("private key", org.private_key) | canaries.of_key("encrypted key", encrypted_key)
    for number, assertion in enumerate(gateway.assertions):
        wanted |= {f"{name} ({number})": value for name, value in canaries.of_assertion(assertion).items()}
    for number, token in enumerate(gateway.tokens):
        wanted |= {f"{name} ({number})": value for name, value in canaries.of_token(token).items()}
    return canaries.found(canaries.everywhere(wanted), canaries.places(airflow.home.folder))


def ended(airflow: LocalAirflow, conn_id: str) -> Run:
    run_id = airflow.trigger(DAG_ID, conf={"conn_id": conn_id})
    return airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True)


def log_of(airflow: LocalAirflow, run: Run) -> str:
    return airflow.task_log(DAG_ID, run["dag_run_id"], TASK_ID)


def test_after_a_success(airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str) -> None:
    assertions, tokens = len(gateway.assertions), len(gateway.tokens)
    conn_id = connect(airflow, org, gateway, encrypted_key)
    org.bulk_polls = 20  # at one poll a second: time enough to look into the trigger
    run_id = airflow.trigger(DAG_ID, conf={"conn_id": conn_id})
    airflow.wait_for_task(DAG_ID, run_id, TASK_ID, "deferred")

    triggers = canaries.stored_triggers(airflow.home.database, airflow.home.fernet_key)
    job_ids = [job_id.encode() for job_id in org.jobs]
    assert any(job_id in trigger for trigger in triggers for job_id in job_ids)
    wanted = canaries.of_key("private key", org.private_key) | canaries.of_key("encrypted key", encrypted_key)
    wanted |= {"the passphrase": PASSPHRASE.encode()}
    wanted |= canaries.of_token(gateway.tokens[-1]) | canaries.of_assertion(gateway.assertions[-1])
    assert canaries.found(canaries.everywhere(wanted), iter([("a trigger", each) for each in triggers])) == []

    run = airflow.wait_for_run(DAG_ID, run_id=run_id)
    assert run["state"] == "success"
    # Two processes signed in, the worker and the triggerer; so there was something to leak.
    assert len(gateway.assertions) - assertions >= 2
    assert len(gateway.tokens) - tokens >= 2
    assert leaks(airflow, org, gateway, encrypted_key) == []


def test_after_an_authentication_failure(
    airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str
) -> None:
    assertions = len(gateway.assertions)
    run = ended(airflow, connect(airflow, org, gateway, encrypted_key, consumer_key="3MVG9.unknown"))
    assert run["state"] == "failed"
    assert "client identifier invalid" in log_of(airflow, run)
    assert len(gateway.assertions) > assertions
    assert leaks(airflow, org, gateway, encrypted_key) == []


def test_after_a_wrong_passphrase(
    airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str
) -> None:
    connection = json.loads(org.connection_json(private_key=encrypted_key))
    airflow.add_connection("canary_wrong", json.dumps(connection | {"password": PASSPHRASE[:-1]}))
    run = ended(airflow, "canary_wrong")
    assert run["state"] == "failed"
    assert "passphrase" in log_of(airflow, run)
    assert canaries.found({"the wrong one": PASSPHRASE[:-1].encode()}, canaries.places(airflow.home.folder)) == []
    assert leaks(airflow, org, gateway, encrypted_key) == []


@pytest.mark.parametrize(
    "path", ["*/jobs/query/*/results*", "*/jobs/query/???????????????*"], ids=["worker", "trigger"]
)
def test_after_a_500_in_the_middle(
    airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str, path: str
) -> None:
    org.add_fault(Fault(method="GET", path=path, nth=2, times=None, status=500, body="<html>Server Error</html>"))
    run = ended(airflow, connect(airflow, org, gateway, encrypted_key))
    assert run["state"] == "failed"
    assert "500" in log_of(airflow, run)
    assert leaks(airflow, org, gateway, encrypted_key) == []


def test_the_search_finds_what_is_there(
    airflow: LocalAirflow, org: SimulatedOrg, gateway: LoginGateway, encrypted_key: str, tmp_path: Path
) -> None:
    """What is not secret is found in a log, in a database row and in the raw file; so a secret would be."""
    run = ended(airflow, connect(airflow, org, gateway, encrypted_key))
    job_id = airflow.xcom(DAG_ID, run["dag_run_id"], TASK_ID)["job_id"]
    hits = canaries.found({"job": job_id.encode()}, canaries.places(airflow.home.folder))
    assert any(hit.startswith("job is in logs/") for hit in hits), hits
    assert any(hit.startswith("job is in xcom.value") for hit in hits), hits
    assert any(hit.startswith("job is in airflow.db") for hit in hits), hits
