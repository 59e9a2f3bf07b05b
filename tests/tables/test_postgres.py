"""What is PostgreSQL's own: a server and a connection that are set oddly, readers beside a merge, partitions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from airflow_provider_sfjwt.tables import merge
from tests.tables.data_sets import item, publish, record_id
from tests.tables.databases import PostgreSQL

ODD = (
    "-c default_transaction_isolation=serializable -c datestyle=german -c timezone=Asia/Tokyo -c IntervalStyle=iso_8601"
)


@pytest.fixture(
    params=[("psycopg", "dictcursor"), ("psycopg2", "dictcursor"), ("psycopg2", "realdictcursor")], ids="-".join
)
def odd(postgres: PostgreSQL, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    """A connection whose session and rows are set otherwise, in its extra."""
    driver, cursor = request.param
    monkeypatch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", driver == "psycopg")
    settings = {"options": ODD, "application_name": "odd", "client_encoding": "LATIN1", "cursor": cursor}
    database = PostgreSQL("warehouse", postgres.port, postgres.database, **settings)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    yield database


def test_a_session_that_is_set_oddly(odd: PostgreSQL, tmp_path: Path) -> None:
    types = {"Id": pa.string(), "Name": pa.string(), "Day": pa.date32(), "SystemModstamp": pa.timestamp("ms", tz="UTC")}
    moment = datetime(2026, 3, 29, 1, 30, 0, 999000, tzinfo=timezone.utc)
    row = {"Id": "1", "Name": "東京 🚀", "Day": moment.date(), "SystemModstamp": moment}
    window = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")

    merge(publish(tmp_path / "1", [row], types=types, window=window), sql_conn_id="warehouse", table="items")

    assert odd.rows("items", list(types)) == [("1", "東京 🚀", moment.date(), moment)]
    assert odd.run("SELECT window_end FROM sfjwt_ledger") == [(datetime(2026, 11, 2, tzinfo=timezone.utc),)]


def test_readers_read_on_while_a_table_is_replaced(postgres: PostgreSQL, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(1)]), sql_conn_id="warehouse", table="items")
    address = f"host=127.0.0.1 port={postgres.port} user=tester dbname={postgres.database}"
    with psycopg.connect(address) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute('SELECT "Id" FROM items').fetchall() == [(record_id(1),)]
        merge(publish(tmp_path / "2", [item(2)]), sql_conn_id="warehouse", table="items", mode="replace")
        assert reader.execute('SELECT "Id" FROM items').fetchall() == [(record_id(1),)]
    assert [row[0] for row in postgres.rows("items", ["Id"])] == [record_id(2)]


def test_nothing_but_the_two_tables_is_left(postgres: PostgreSQL, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(1)]), sql_conn_id="warehouse", table="items")
    found = postgres.run("SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'S') AND oid >= 16384 ORDER BY 1")
    assert [name for (name,) in found] == ["items", "sfjwt_ledger"]
    assert postgres.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_grants_views_and_defaults_survive_a_replacement(postgres: PostgreSQL, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(1, Amount__c=Decimal(1))]), sql_conn_id="warehouse", table="items")
    postgres.run(
        'CREATE VIEW amounts AS SELECT "Amount__c" FROM items', "ALTER TABLE items ADD COLUMN seen int DEFAULT 5"
    )
    source = publish(tmp_path / "2", [item(2, Amount__c=Decimal(2))])
    merge(source, sql_conn_id="warehouse", table="items", mode="replace")
    assert postgres.run("SELECT * FROM amounts") == [(Decimal(2),)]
    assert postgres.run("SELECT seen FROM items") == [(5,)]


def test_a_partitioned_table(postgres: PostgreSQL, tmp_path: Path) -> None:
    postgres.run(
        'CREATE TABLE items ("Id" text PRIMARY KEY, "Name" text) PARTITION BY HASH ("Id")',
        "CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    )
    first = publish(tmp_path / "1", [item(number) for number in range(10)])
    assert merge(first, sql_conn_id="warehouse", table="items", columns=["Id", "Name"]).inserted == 10
    second = publish(tmp_path / "2", [item(1, "new", hour=1), item(10)])
    report = merge(second, sql_conn_id="warehouse", table="items", columns=["Id", "Name"])
    assert (report.inserted, report.updated) == (1, 1)
