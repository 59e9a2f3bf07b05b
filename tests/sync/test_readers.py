"""``docs/reading_a_sync.md``: each of its readers comes to the org's rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_sfjwt.sync import read_sync as read_sync_of
from airflow_provider_sfjwt.tables import merge
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.json_schema import undescribed
from tests.random_tests import SOAK
from tests.repository import REPOSITORY
from tests.sync.applied import in_org
from tests.sync.syncs import Syncs
from tests.tables.databases import DuckDB

#: The root that the page names stands for the test's own.
NAMED = "file:///data/salesforce"
ASKED: dict[str, Any] = {"deletes": "ids", "deletes_every": 1, "refresh_formulas": 1}


@pytest.fixture
def expected(org: SimulatedOrg, syncs: Syncs) -> dict[str, str | None]:
    """Names of the accounts that are left after a few runs, by id, with all that can happen between them."""
    org.add_field("Account", Field("Rank__c", "double", precision=18, calculated=True, createable=False))
    syncs.run(["Account"], **ASKED)
    changed, deleted, purged, back, master, loser, *_ = (str(row["Id"]) for row in org.rows("Account"))
    org.clock_offset += 2
    org.update("Account", changed, {"Name": "changed"})
    for record in (deleted, purged, back):
        org.delete("Account", record)
    org.purge("Account", purged)
    org.merge("Account", master, [loser])
    org.clock_offset += 2
    syncs.run(["Account"], **ASKED)
    org.undelete("Account", back)
    org.add_field("Account", Field("Later__c"))
    org.insert("Account", [{"Name": "new", "Later__c": "x"}])
    org.recalculate("Account", changed, {"Rank__c": 7})
    org.clock_offset += 2
    syncs.run(["Account"], **ASKED)
    return {record: row.get("Name") for record, row in in_org(org, "Account").items()}


@pytest.fixture
def read_sync(syncs: Syncs) -> Callable[[str, str], Any]:
    return lambda root, sobject: read_sync_of(root.replace(NAMED, f"file://{syncs.root}"), sobject)


def test_python(expected: dict[str, Any], read_sync: Callable[[str, str], Any]) -> None:
    state: dict[str, dict[str, Any]] = {}
    # [START python]
    for each in read_sync("file:///data/salesforce", "Account"):
        if each.replaces_all:  # of an object without a field that shows changes
            state.clear()
        for deletion in each.deletions().to_pylist():
            row = state.get(deletion["Id"])
            if row and (deletion["DeletedDate"] is None or row["SystemModstamp"] <= deletion["DeletedDate"]):
                del state[deletion["Id"]]
        for row in each.rows().read_all().to_pylist():
            if each.only_formulas:  # new values of formula fields change these columns of rows that are there
                state.get(row["Id"], {}).update(row)
            else:
                state[row["Id"]] = row
    # [END python]
    assert {row["Rank__c"] for row in state.values()} == {None, 7}
    assert {record: row["Name"] for record, row in state.items()} == expected


def test_receipts_of_a_chain_follow_the_schema(expected: dict[str, Any], syncs: Syncs) -> None:
    schema = json.loads((REPOSITORY / "docs/receipt.schema.json").read_text(encoding="utf-8"))
    chain = syncs.chain("Account")
    for receipt in chain:
        assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(receipt)] == []
        assert undescribed(schema, receipt) == []
    assert [each["kind"] for each in chain] == ["changes", "changes", "formulas", "changes"]
    assert [bool((each["deletes"] or {}).get("parts")) for each in chain] == [False, True, False, False]
    assert chain[-1]["backfilled"] == ["Later__c"]
    assert expected


def test_duckdb(expected: dict[str, Any], read_sync: Callable[[str, str], Any]) -> None:
    con = pytest.importorskip("duckdb", reason="missing: the Python package duckdb").connect()
    con.execute("SET TimeZone = 'UTC'")
    # [START duckdb]
    for each in read_sync("file:///data/salesforce", "Account"):
        rows, deletions = each.rows().read_all(), each.deletions()
        con.execute("CREATE TABLE IF NOT EXISTS account AS SELECT * FROM rows LIMIT 0")
        for name, kind in con.execute("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM rows)").fetchall():
            con.execute(f'ALTER TABLE account ADD COLUMN IF NOT EXISTS "{name}" {kind}')
        if each.only_formulas:  # new values of formula fields change these columns of rows that are there
            names = ", ".join(f'"{name}" = n."{name}"' for name in rows.column_names)
            con.execute(f"UPDATE account SET {names} FROM rows n WHERE account.Id = n.Id")
            continue
        con.execute("DELETE FROM account USING deletions d WHERE account.Id = d.Id AND SystemModstamp <= DeletedDate")
        con.execute("DELETE FROM account WHERE Id IN (SELECT Id FROM rows)")
        con.execute("INSERT INTO account BY NAME SELECT * FROM rows")
    # [END duckdb]
    assert rows.num_rows and deletions is not None
    assert dict(con.execute("SELECT Id, Name FROM account").fetchall()) == expected
    assert con.execute("SELECT count(*) FROM account WHERE Rank__c = 7").fetchall() == [(1,)]


def test_merge(
    expected: dict[str, Any],
    read_sync: Callable[[str, str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("airflow.providers.duckdb", reason="missing: the Python package of the DuckDB provider")
    database = DuckDB("warehouse", tmp_path / "warehouse.duckdb")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    # [START merge]
    receipts = [each.receipt for each in read_sync("file:///data/salesforce", "Account")]
    merge(receipts, sql_conn_id="warehouse", table="account")
    # [END merge]
    assert dict(database.rows("account", ["Id", "Name"])) == expected
    assert {score for _, score in database.rows("account", ["Id", "Rank__c"])} == {None, 7}
    assert merge(receipts, sql_conn_id="warehouse", table="account").already_applied == len(receipts) == 4


if SOAK:  # Spark takes an environment of its own, and half a minute

    @pytest.mark.soak
    @pytest.mark.timeout(300)
    def test_spark(expected: dict[str, Any], syncs: Syncs) -> None:
        python = os.environ.get("SFJWT_SPARK")
        if python is None or shutil.which("java") is None:
            pytest.skip("missing: a Python with pyspark and fsspec (SFJWT_SPARK), and Java 17")
        done = subprocess.run(
            [python, "-m", "tests.sync.spark_state", f"file://{syncs.root}/Account"],
            capture_output=True, text=True, check=False, cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYSPARK_PYTHON": python, "TZ": "UTC",
                 "SPARK_LOCAL_IP": "127.0.0.1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert json.loads(done.stdout.splitlines()[-1]) == expected
