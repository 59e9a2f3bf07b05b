"""Red, naming what is wrong, and nothing changed in the table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tables import MergeReport, merge
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.tables import databases
from tests.tables.data_sets import item, publish
from tests.tables.databases import PostgreSQL, TestDatabase

Into = Callable[..., MergeReport]


def part_of(folder: Path) -> Path:
    return next(folder.glob("part-*"))


def changed_part(folder: Path) -> None:
    part = part_of(folder)
    part.write_bytes(part.read_bytes()[:-1] + b"!")


def other_rows(folder: Path) -> None:
    receipt = json.loads((folder / "_receipt.json").read_text())
    receipt["parts"][0]["records"] = receipt["records"] = 7
    (folder / "_receipt.json").write_text(json.dumps(receipt))


def more_records(folder: Path) -> None:
    receipt = json.loads((folder / "_receipt.json").read_text())
    receipt["records"] = 7
    (folder / "_receipt.json").write_text(json.dumps(receipt))


def newer_receipt(folder: Path) -> None:
    (folder / "_receipt.json").write_text(json.dumps({"receipt_version": 99}))


def load_report(folder: Path) -> None:
    (folder / "_receipt.json").write_text(json.dumps({"report_version": 1}))


SPOILT: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: (folder / "_receipt.json").unlink(), r"source: .*1 holds no _receipt.json"),
    (lambda folder: part_of(folder).unlink(), r"source: .*the receipt lists this part, and it is gone"),
    (changed_part, r"source: .*part-00000.*SHA-256 differs"),
    (other_rows, r"source: .*part-00000.* it holds 2 rows, and the receipt says 7"),
    (more_records, r"source: .*its parts hold 2 rows, and the receipt says 7"),
    (newer_receipt, r"source: .*receipt of version 99"),
    (load_report, r"source: .*results folder of a load"),
    (lambda folder: (folder / "_receipt.json").write_text("{"), r"source: .*_receipt.json"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_a_data_set_that_is_not_what_its_receipt_says(
    database: TestDatabase, into: Into, tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    into(publish(tmp_path / "0", [item(1)]))
    source = publish(tmp_path / "1", [item(2), item(3)])
    spoil(tmp_path / "1")

    with pytest.raises(ConfigurationError, match=message):
        into(source)

    assert (database.count("items"), database.count("sfjwt_ledger")) == (1, 1)


def test_rows_that_their_key_does_not_tell_apart(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"key: Id does not tell .* apart: a00000000000001AAA \(2 times\)"):
        into(publish(tmp_path / "1", [item(1), item(1), item(2)]))
    with pytest.raises(ConfigurationError, match=r"key: Id is empty in 1 row of the extract"):
        into(publish(tmp_path / "2", [{"Name": "x"}, item(2)]))
    with pytest.raises(ConfigurationError, match=r"key: the extract has no column Nr; it has Id, Name, "):
        into(publish(tmp_path / "3", [item(1)]), key="Nr")
    with pytest.raises(ConfigurationError, match=r"key: Id is not among the columns that go into the table"):
        into(publish(tmp_path / "4", [item(1)]), columns=["Name"])


def test_all_arguments_that_are_wrong_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        merge(
            3, sql_conn_id="", table="a..b", mode="upsert", key=[], deleted="purge", schema_evolution="yes",
            naming="camel", column_mapping=["Name"], columns="Name", ledger_table='"', lock_timeout=0,
            nul_characters="x", allow_older="no", allow_empty=1,
        )  # fmt: skip
    assert set(caught.value.fields) == {
        "source", "sql_conn_id", "table", "mode", "key", "deleted", "schema_evolution", "naming", "column_mapping",
        "columns", "ledger_table", "lock_timeout", "nul_characters", "allow_older", "allow_empty",
    }  # fmt: skip


@pytest.mark.parametrize("source", [None, "", "None", [], [None], {}, {"receipt": None}, 3, b"x", [["a"]]])
def test_what_is_not_a_source(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="source: "):
        merge(source, sql_conn_id="warehouse", table="items")


def test_columns_that_the_extract_does_not_have(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(1)])
    with pytest.raises(ConfigurationError) as caught:
        into(source, columns=["Id", "Nmae"], column_mapping={"X": "y"}, deleted="mark")
    assert set(caught.value.fields) == {"columns", "column_mapping", "deleted"}


@pytest.mark.parametrize(
    ("conn_type", "advice"),
    [
        ("snowflake", r"CopyFromExternalStageToSnowflakeOperator\(files=…\): hook.part_keys\(result\)"),
        ("gcpbigquery", r"GCSToBigQueryOperator\(source_objects=…\)"),
        ("redshift", r"S3ToRedshiftOperator with a manifest"),
        ("mysql", r"its own loader"),
    ],
)
def test_other_databases_are_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, conn_type: str, advice: str
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": conn_type, "host": "h", "password": "sesame"})
    )
    source = publish(tmp_path / "1", [item(1)])
    with pytest.raises(ConfigurationError, match=rf"is of the type '{conn_type}'; a merge takes .*{advice}") as caught:
        merge(source, sql_conn_id="warehouse", table="items")
    assert "sesame" not in str(caught.value)


def test_a_connection_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
    with pytest.raises(ConfigurationError, match="sql_conn_id: there is no connection 'warehouse'"):
        merge(publish(tmp_path / "1", [item(1)]), sql_conn_id="warehouse", table="items")


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres: PostgreSQL) -> None:
    away = databases.PostgreSQL("warehouse", 1, "postgres", password="sesame")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", away.connection_json())
    with pytest.raises(SalesforceError, match=r"connection 'warehouse' \(sql_conn_id\) cannot be opened") as caught:
        merge(publish(tmp_path / "1", [item(1)]), sql_conn_id="warehouse", table="items")
    assert caught.value.retryable
    assert "sesame" not in str(caught.value)


def test_missing_rights_are_named(postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    role = f"reader_{postgres.database}"
    merge(publish(tmp_path / "1", [item(1)]), sql_conn_id="warehouse", table="items")
    postgres.run(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    limited = databases.PostgreSQL("warehouse", postgres.port, postgres.database, user=role)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", limited.connection_json())
    source = publish(tmp_path / "2", [item(2)])
    with pytest.raises(
        ConfigurationError, match=r"sql_conn_id: .*not allowed .*user: permission denied for table items"
    ):
        merge(source, sql_conn_id="warehouse", table="items")
    # What it takes: rights on the two tables, and none to create tables.
    postgres.run(
        f"GRANT INSERT, UPDATE, DELETE ON items TO {role}", f"GRANT INSERT, DELETE ON sfjwt_ledger TO {role}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )  # fmt: skip
    assert merge(source, sql_conn_id="warehouse", table="items").inserted == 1
    postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_lock_that_another_holds(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)]))
    source = publish(tmp_path / "2", [item(2)])
    held, done = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(database, held, done))
    holder.start()
    held.wait(30)
    try:
        with pytest.raises(SalesforceError, match=r"lock") as caught:
            into(source, lock_timeout=0.3)
    finally:
        done.set()
        holder.join()
    assert caught.value.retryable
    assert database.count("items") == 1
    assert into(source).inserted == 1


def hold(database: TestDatabase, held: threading.Event, done: threading.Event) -> None:
    """Keep what a merge into ``items`` locks."""
    import sqlite3
    import subprocess
    import sys

    if isinstance(database, databases.PostgreSQL):
        import psycopg

        address = f"host=127.0.0.1 port={database.port} user=tester dbname={database.database}"
        with psycopg.connect(address) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('sfjwt:public.items', 0))")
            held.set()
            done.wait(60)
    elif isinstance(database, databases.SQLite):
        connection_ = sqlite3.connect(database.path, isolation_level=None)
        connection_.execute("BEGIN IMMEDIATE")
        held.set()
        done.wait(60)
        connection_.close()
    elif isinstance(database, databases.DuckDB):
        program = f"import duckdb; held = duckdb.connect({str(database.path)!r}); print(flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            held.set()
            done.wait(60)
            process.communicate("\n")


def test_an_extract_of_every_format_is_the_same_table(
    database: TestDatabase, into: Into, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    with SimulatedOrg(records={"Contact": 30}, bulk_polls=0, bulk_page_size=12) as org:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        hook = SalesforceJwtHook()
        formats = [("parquet", None), ("csv", None), ("csv", "gzip"), ("jsonl", None)]
        sources = [
            hook.extract(
                sobject="Contact", output_path=f"file://{tmp_path}/{place}", file_format=name, compression=compression
            )
            for place, (name, compression) in enumerate(formats)
        ]
    reports = [into(source) for source in sources]
    assert [(report.inserted, report.unchanged) for report in reports] == [(30, 0), *[(0, 30)] * 3]
