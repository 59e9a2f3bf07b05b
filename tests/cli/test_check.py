"""``airflow-salesforce-jwt check``: a line for each step, exit codes, JSON, and every place where connections are kept."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_sfjwt.compat import has_declarative_forms
from airflow_provider_sfjwt.salesforce.auth.key_pair import make_key_pair
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]
NAMES = ["fields", "key", "certificate", "clock", "host", "exchange", "identity", "API limit"]


def test_it_prints_a_line_for_each_step(airflow: Airflow, org: SimulatedOrg) -> None:
    done = airflow("check", "sf")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line[2:].partition(":")[0] for line in lines] == NAMES
    assert [line[0] for line in lines] == ["✓", "✓", "–", *"✓✓✓✓✓"]
    assert all(line.endswith(".") for line in lines)


def test_it_ends_at_the_first_failure_with_remedy_and_page(airflow: Airflow, org: SimulatedOrg) -> None:
    org.approve(False)
    done = airflow("check", "sf")
    assert done.code == 1
    *_, verdict, said, remedy, page = done.out.splitlines()
    assert verdict.startswith("✗ exchange:    The app takes pre-authorized users only")
    assert said == "  Said: invalid_app_access: user is not admin approved to access this app"
    assert remedy.startswith("  Remedy: ")
    assert page == "  Setup page: External Client App Manager"


def test_the_certificate_may_be_a_file(airflow: Airflow, org: SimulatedOrg, tmp_path: Path) -> None:
    own, other = tmp_path / "own.crt", tmp_path / "other.crt"
    own.write_text(org.certificate)
    other.write_text(make_key_pair().certificate)
    assert airflow("check", "sf", "--certificate", str(own)).code == 0
    done = airflow("check", "sf", "--certificate", str(other))
    assert done.code == 1
    assert "✗ certificate: The certificate belongs to another key" in done.out
    done = airflow("check", "sf", "--certificate", str(tmp_path / "none.crt"))
    assert (done.code, done.out) == (2, "")
    assert "none.crt cannot be read: No such file or directory." in done.err


def test_other_audiences_are_tried_when_asked_for(
    airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SF", org.connection_json(audience="https://test.salesforce.com"))
    assert airflow("check", "sf").out.splitlines()[-1].startswith("  Next: --try-audiences tries the others")
    done = airflow("check", "sf", "--try-audiences")
    assert done.code == 1
    assert "! audiences:   Salesforce accepts the audience https://login.salesforce.com (1 more row" in done.out
    assert done.out.endswith("  Remedy: Empty Audience in the connection.\n")


def test_a_pool_needs_a_connection_and_a_database(
    airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = airflow("check", "--dags", "none", "--make-pool")
    assert done.code == 2 and "--make-pool makes the pool of a connection's org" in done.err


def test_json_is_for_scripts(airflow: Airflow, org: SimulatedOrg) -> None:
    passed = json.loads(airflow("check", "sf", "--json").out)
    assert (passed["conn_id"], passed["passed"]) == ("sf", True)
    assert [step["name"] for step in passed["steps"]] == NAMES
    org.clock_offset = 400
    done = airflow("check", "sf", "--json")
    assert done.code == 1
    failed = json.loads(done.out)
    assert failed["passed"] is False
    assert set(failed["steps"][-1]) == {"name", "passed", "detail", "remedy", "setup_page", "said", "mark"}
    assert (failed["steps"][-1]["name"], failed["steps"][-1]["mark"]) == ("clock", "failed")


def test_what_is_no_connection_of_ours_cannot_be_checked(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OLD", '{"conn_type": "salesforce"}')
    monkeypatch.setenv("AIRFLOW_CONN_WEB", '{"conn_type": "http"}')
    for conn_id, said in (
        ("nowhere", "There is no connection 'nowhere' in"),
        (
            "old",
            "is 'salesforce' and should be 'salesforce_jwt'; 'airflow-salesforce-jwt from-salesforce' converts it.",
        ),
        ("web", "is 'http' and should be 'salesforce_jwt'."),
    ):
        done = airflow("check", conn_id)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert airflow("check").code == 2


@pytest.mark.parametrize("conn_type", ["", "http", "Salesforce-JWT"])
def test_a_connection_that_the_hook_signs_in_with_passes(
    airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    content = json.loads(org.connection_json()) | {"conn_type": conn_type}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(content))
    assert airflow("check", "other").code == 0


def test_a_terminal_without_the_marks_gets_words(
    airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.approve(False)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert airflow("check", "sf").code == 1
    text = written.getvalue().decode("ascii")
    assert text.startswith("ok   fields:      ")
    assert "\nskip certificate: " in text
    assert "\nFAIL exchange:    " in text
    assert "Setup > External Client App Manager" in text


def test_no_secret_is_printed(airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_key_pair(passphrase="canary-passphrase")
    org.register_certificate(pair.certificate)
    for password in ("canary-passphrase", "canary-wrong"):
        content = json.loads(org.connection_json(private_key=pair.private_key, consumer_secret="canary-secret"))
        monkeypatch.setenv("AIRFLOW_CONN_SF", json.dumps(content | {"password": password}))
        for flags in ((), ("--json",), ("--verbose",)):
            done = airflow("check", "sf", *flags)
            assert not any(line in done.out + done.err for line in pair.private_key.splitlines()[1:-1])
            assert "canary-" not in done.out + done.err
            assert "00D5e0000000001!" not in done.out + done.err


_STORE = """
import json, sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from airflow.configuration import conf
from airflow.models import Connection
from airflow.models.pool import Pool
fields = json.loads(sys.argv[1])
engine = create_engine(conf.get("database", "sql_alchemy_conn"))
Connection.__table__.create(engine)
Pool.metadata.create_all(engine, [Pool.__table__, *(key.column.table for key in Pool.__table__.foreign_keys)])
with Session(engine) as session:
    session.add(Connection(conn_id="stored", **fields | {"extra": json.dumps(fields["extra"])}))
    session.commit()
"""


def test_connections_of_the_database_are_seen(org: SimulatedOrg, tmp_path: Path) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    }
    # Of the database, only the table that is looked into: the whole takes Airflow many seconds.
    subprocess.run([sys.executable, "-c", _STORE, org.connection_json()], env=env, check=True, capture_output=True)
    script = [sys.executable, "-c", "from airflow_provider_sfjwt.cli import main; main()"]
    program = [sys.executable, "-m", "airflow", "salesforce-jwt"] if has_declarative_forms() else script
    command = [*program, "check", "stored", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"] is True
    _check_pool([*command[:-1], "--make-pool"], env, tmp_path / "airflow.db")


def _check_pool(command: list[str], env: dict[str, str], path: Path) -> None:
    """The pool of the org is made once, explained, and left alone where there is one."""
    name = "salesforce_00D5e0000000001EAA"
    said = {3: f"Pool {name} with 3 slots was made.", 9: f"Pool {name} is there with 9 slots, and stays as it is."}
    for slots, expected in said.items():
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE slot_pool SET slots = ? WHERE pool = ?", (slots, name))
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout and f"pool='{name}'" in done.stdout
        assert "lets 5 calls of 20 seconds or more run at once in a Developer Edition or a trial" in done.stdout
        assert "3 slots leave 2 to the org's other users" in done.stdout
        assert (f"Remedy: Airflow pools set {name} 3" in done.stdout) == (slots == 9)
        with closing(sqlite3.connect(path)) as database:
            kept = database.execute("SELECT slots, include_deferred FROM slot_pool WHERE pool = ?", (name,)).fetchall()
        assert kept == [(slots, 0)]


def test_airflows_start_pays_next_to_nothing_for_the_commands() -> None:
    code = "import sys; before = {*sys.modules}; import airflow_provider_sfjwt.cli; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)
    assert packages == {"airflow_provider_sfjwt"}


@pytest.mark.parametrize("command", ["check", "keygen", "from-salesforce", "sync"])
def test_every_command_has_help(airflow: Airflow, command: str) -> None:
    done = airflow(command, "--help")
    assert done.code == 0
    assert "salesforce-jwt" in done.out
