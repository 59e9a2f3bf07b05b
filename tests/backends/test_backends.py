"""A connection from each secrets backend, through the real scheduler: it works, and its key is in no log."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.backends import documented
from tests.backends.conftest import Vault
from tests.backends.reconfigured import ReconfiguredAirflow
from tests.local_airflow.stack import Run
from tests.system import canaries
from tests.system.gateway import LoginGateway

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

DAG_ID, TASK_ID, RECORDS = "any_backend", "extract", 60
PASSPHRASE = "canary-" + secrets.token_hex(16)

#: What is tried, in the order of the table: a backend with the documented form of the secret, and the connection's id.
CASES = {
    "environment json": "salesforce_env_json",
    "environment uri": "salesforce_env_uri",
    "metastore json": "salesforce_metastore",
    "local file yaml": "salesforce_file_yaml",
    "local file json": "salesforce_file_json",
    "aws secrets manager json": "salesforce_aws_json",
    "aws secrets manager uri": "salesforce_aws_uri",
}


@dataclass(frozen=True)
class Ran:
    """A run over one connection.

    :param state: in which it ended.
    :param records: that the extract brought.
    :param answer: the log, as the API server gives it.
    :param files: the log files on disk, by their paths.
    """

    state: str
    records: int | None
    answer: str
    files: dict[str, bytes]

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Every form of the log, by where it is."""
        yield "the API's answer", self.answer.encode()
        yield from self.files.items()


@dataclass(frozen=True)
class World:
    """What the runs need, and what came of them."""

    airflow: ReconfiguredAirflow
    wanted: dict[str, bytes]
    runs: dict[str, Ran]


def encrypted(pem: str) -> str:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    protection = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(*formats, protection).decode()


def examples(org: SimulatedOrg, login_url: str, key: str) -> dict[str, str]:
    """The values of the org, by the examples of the documentation."""
    return {
        documented.EXAMPLE_KEY: org.private_key,
        documented.EXAMPLE_ENCRYPTED_KEY: key,
        "airflow@acme.com": org.username,
        "https://acme.my.salesforce.com": login_url,
        "3MVG9...": org.consumer_key,
        "the passphrase of the key": PASSPHRASE,
    }


def ran(airflow: ReconfiguredAirflow, run: Run, conn_id: str) -> Ran:
    """Look at what a run has left."""
    run_id = run["dag_run_id"]
    records = airflow.xcom(DAG_ID, run_id, TASK_ID)["records"] if run["state"] == "success" else None
    folder = airflow.home.logs / f"dag_id={DAG_ID}" / f"run_id={run_id}"
    files = {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return Ran(str(run["state"]), records, airflow.task_log(DAG_ID, run_id, TASK_ID), files)


def run_all(airflow: ReconfiguredAirflow, cases: list[str]) -> dict[str, Ran]:
    """Run the DAG over several connections at the same time."""
    started = {case: airflow.trigger(DAG_ID, conf={"conn_id": CASES[case]}) for case in cases}
    ended = {case: airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True) for case, run_id in started.items()}
    return {case: ran(airflow, run, CASES[case]) for case, run in ended.items()}


def secrets_that_passed(org: SimulatedOrg, key: str, gateway: LoginGateway) -> dict[str, bytes]:
    """What must not be in a log: lines of the keys, plain and for a URL, the passphrase, tokens and assertions."""
    wanted = canaries.of_key("private key", org.private_key) | canaries.of_key("encrypted key", key)
    wanted |= {f"{name}, in a URL": quote(value, safe="").encode() for name, value in wanted.items()}
    wanted["the passphrase"] = PASSPHRASE.encode()
    for token in gateway.tokens:
        wanted |= canaries.of_token(token)
    for assertion in gateway.assertions:
        wanted |= canaries.of_assertion(assertion)
    return canaries.everywhere(wanted)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Iterator[World]:
    """A running Airflow after a run over each connection."""
    folder = tmp_path_factory.mktemp("secrets")
    with SimulatedOrg(records={"Account": RECORDS}, bulk_page_size=25) as org, LoginGateway(org.url) as gateway:
        key = encrypted(org.private_key)
        values = examples(org, gateway.url, key)

        def secret(case: str, mark: str) -> str:
            return documented.filled(f"secret: {mark}", CASES[case], values)

        def connections(case: str) -> str:
            return json.dumps({CASES[case]: json.loads(secret(case, "json"))})

        def local_file(form: str) -> dict[str, str]:
            case, path = f"local file {form}", folder / f"connections.{form}"
            path.write_text(connections(case) if form == "json" else secret(case, case), encoding="utf-8")
            return documented.with_file(documented.settings(f"settings: {case}"), path)

        env = {"SFJWT_EXAMPLE_OUTPUT": tmp_path_factory.mktemp("output").as_uri(), **local_file("yaml")}
        for form in ("json", "uri"):
            case = f"environment {form}"
            env |= documented.variable(CASES[case], secret(case, form))
            case = f"aws secrets manager {form}"
            vault.store(CASES[case], secret(case, form).strip())
        dags = [Path(__file__).parent / "dags"]
        airflow = ReconfiguredAirflow(tmp_path_factory.mktemp("home"), dags, env=env)
        with airflow:
            exported = folder / "to_import.json"
            exported.write_text(connections("metastore json"), encoding="utf-8")
            airflow.cli("connections", "import", str(exported))
            runs = run_all(airflow, list(CASES)[:4])
            airflow.reconfigure(local_file("json"))
            runs |= run_all(airflow, ["local file json"])
            airflow.reconfigure(vault.env)
            runs |= run_all(airflow, ["aws secrets manager json", "aws secrets manager uri"])
            yield World(airflow, secrets_that_passed(org, key, gateway), runs)


def in_log(world: World, case: str) -> list[str]:
    return canaries.found(world.wanted, world.runs[case].texts())


def test_table(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{'backend':<28} {'state':<8} {'records':>7}  key, passphrase or token in the log"]
    for case, each in world.runs.items():
        lines.append(f"{case:<28} {each.state:<8} {each.records!s:>7}  {'YES' if in_log(world, case) else 'no'}")
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert list(world.runs) == list(CASES)


def test_every_block_of_the_pages_is_used() -> None:
    settings = ("local file yaml", "local file json", "aws secrets manager json")
    secrets_ = ("json", "uri", "local file yaml", "key store")  # the last one by tests/hooks/test_every_key_signs_in.py
    used = {f"secret: {each}" for each in secrets_} | {f"settings: {each}" for each in settings}
    assert set(documented.blocks()) == used


@pytest.mark.parametrize("case", CASES)
def test_the_query_and_the_deferred_extract_work(world: World, case: str) -> None:
    run = world.runs[case]
    assert (run.state, run.records) == ("success", RECORDS), run.answer[-3000:]
    assert f"The query brought {RECORDS} rows" in run.answer


@pytest.mark.parametrize("case", CASES)
def test_what_a_task_logs_on_purpose_is_hidden(world: World, case: str) -> None:
    run = world.runs[case]
    # On the worker before the wait, and in the process that was resumed after it.
    assert len(re.findall(r"Careless: key: ", run.answer)) == 2, run.answer[-3000:]
    assert len(re.findall(r"Careless: token: \*\*\*$", run.answer, re.MULTILINE)) == 2
    assert len(re.findall(r"Careless: line \d+: \*\*\*$", run.answer, re.MULTILINE)) > 2 * 20
    assert [path for path in run.files if "trigger" in path], "the triggerer has a log of its own"
    assert in_log(world, case) == []


def test_nothing_else_that_airflow_keeps_holds_a_secret(world: World) -> None:
    kept = canaries.places(world.airflow.home.folder)
    # LocalExecutor's copies of the tasks' logs, which Airflow 3.3 does not mask: documented.
    searched = ((place, content) for place, content in kept if not place.startswith("logs/components/scheduler"))
    assert canaries.found(world.wanted, searched) == []


def test_each_connection_comes_from_its_own_backend(world: World) -> None:
    """What is stored elsewhere too would prove nothing."""
    listed = world.airflow.api("GET", "connections")["connections"]
    assert [each["connection_id"] for each in listed] == [CASES["metastore json"]]
    variables = {name for name in world.airflow.home.env if name.startswith("AIRFLOW_CONN_")}
    assert variables == {f"AIRFLOW_CONN_{CASES[f'environment {form}'].upper()}" for form in ("json", "uri")}
