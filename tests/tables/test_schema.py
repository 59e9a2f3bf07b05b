"""The table beside the extract: columns that come, types that fit or do not, keys, views and names."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables import MergeReport
from tests.tables.data_sets import ITEM, item, publish, record_id
from tests.tables.databases import PostgreSQL, TestDatabase

Into = Callable[..., MergeReport]
WITHOUT_OWNER = {name: kind for name, kind in ITEM.items() if name != "Owner.Name"}


def refused(into: Into, source: str, message: str, **arguments: object) -> None:
    with pytest.raises(ConfigurationError, match=message):
        into(source, **arguments)


def one_value(folder: Path, kind: pa.DataType, *values: object) -> str:
    """A data set of the columns Id and Value."""
    rows = [{"Id": str(place), "Value": value} for place, value in enumerate(values)]
    return publish(folder, rows, types={"Id": pa.string(), "Value": kind})


def test_new_columns_are_added(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1), item(2)], types=WITHOUT_OWNER))
    report = into(publish(tmp_path / "2", [item(1, hour=1, **{"Owner.Name": "Ada"})]))
    assert report.columns_added == ("Owner.Name",)
    assert database.rows("items", ["Id", "Owner.Name"]) == [(record_id(1), "Ada"), (record_id(2), None)]
    assert database.run("SELECT columns_added FROM sfjwt_ledger ORDER BY applied_at") == [("",), ("Owner.Name",)]


def test_new_columns_are_refused_where_the_task_says_so(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)], types=WITHOUT_OWNER))
    source = publish(tmp_path / "2", [item(2)])
    refused(
        into, source, r"column Owner.Name: .*items lacks it, and schema_evolution is 'fail'", schema_evolution="fail"
    )
    assert database.count("items") == 1


def test_a_column_that_the_extract_lacks_keeps_its_values(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1, **{"Owner.Name": "Ada"})]))
    into(publish(tmp_path / "2", [item(1, "b", hour=1), item(2)], types=WITHOUT_OWNER))
    assert database.rows("items", ["Name", "Owner.Name"]) == [("b", "Ada"), ("Item 2", None)]


def test_a_table_of_the_users_own_is_merged_into(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    decimal = "TEXT" if database.label == "sqlite" else "NUMERIC(18,2)"
    database.run(
        f'CREATE TABLE items (note VARCHAR, "Amount__c" {decimal}, "Id" VARCHAR UNIQUE NOT NULL, "Name" VARCHAR, '
        '"IsDeleted" BOOLEAN)',
        f"INSERT INTO items VALUES ('mine', 1, '{record_id(1)}', 'old', false)",
    )
    columns = ["Id", "Name", "Amount__c", "IsDeleted"]
    report = into(publish(tmp_path / "1", [item(1, Amount__c=Decimal("1.5")), item(2)]), columns=columns)
    assert (report.inserted, report.updated, report.columns_added) == (1, 1, ())
    assert database.rows("items", ["note", "Name", "Amount__c"]) == [
        ("mine", "Item 1", database.value(Decimal("1.5")) if database.label == "sqlite" else Decimal("1.50")),
        (None, "Item 2", None),
    ]


def test_a_type_that_cannot_hold_the_values_is_refused_by_column_from_and_to(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    database.run('CREATE TABLE items ("Id" VARCHAR PRIMARY KEY, "Name" INTEGER, "IsDeleted" DOUBLE PRECISION)')
    source = publish(tmp_path / "1", [item(1)])
    refused(
        into, source, r"column Name: is integer in .*items and string in the extract; .*column IsDeleted: is double"
    )
    assert database.count("items") == 0


def test_a_number_that_would_be_rounded_is_refused(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    if database.label == "sqlite":
        database.run('CREATE TABLE items ("Id" VARCHAR PRIMARY KEY, "Value" DECIMAL(18,2))')
        refused(into, one_value(tmp_path / "1", pa.decimal128(38, 18), Decimal(1)), r"Value: is decimal\(18,2\)")
        return
    database.run('CREATE TABLE items ("Id" VARCHAR PRIMARY KEY, "Value" NUMERIC(18,2))')
    for place, number in enumerate(("1.239", "100000000000000000")):
        source = one_value(tmp_path / str(place), pa.decimal128(38, 18), Decimal(1), Decimal(number))
        message = (
            r"column Value: .*\(18,2\) cannot hold decimal128\(38, 18\): 1 values do not fit \(the first is of 1\)"
        )
        refused(into, source, message, schema_evolution="fail")
    assert database.count("items") == 0


@pytest.mark.parametrize(
    ("declared", "kind", "value", "wider"),
    [
        ("numeric(18,2)", pa.decimal128(38, 18), Decimal("1.239"), "numeric"),
        ("character varying(3)", pa.string(), "four", "text"),
    ],
)
def test_postgres_widens_a_column_where_that_is_free(
    postgres: PostgreSQL, tmp_path: Path, declared: str, kind: pa.DataType, value: object, wider: str
) -> None:
    from airflow_provider_sfjwt.tables import merge

    postgres.run(f'CREATE TABLE items ("Id" text PRIMARY KEY, "Value" {declared})')
    before = postgres.run("SELECT pg_relation_filenode('items')")
    merge(one_value(tmp_path / "1", kind, value), sql_conn_id="warehouse", table="items")
    assert postgres.rows("items", ["Value"]) == [(value,)]
    found = postgres.run("SELECT data_type FROM information_schema.columns WHERE column_name = 'Value'")
    assert found == [(wider,)]
    assert postgres.run("SELECT pg_relation_filenode('items')") == before  # nothing was rewritten


def test_a_view_on_a_column_keeps_it_from_being_widened(postgres: PostgreSQL, tmp_path: Path) -> None:
    from airflow_provider_sfjwt.tables import merge

    postgres.run(
        'CREATE TABLE items ("Id" text PRIMARY KEY, "Value" numeric(18,2))',
        'CREATE VIEW sums AS SELECT sum("Value") FROM items',
    )
    merge(one_value(tmp_path / "1", pa.decimal128(38, 18), Decimal("1.25")), sql_conn_id="warehouse", table="items")
    source = one_value(tmp_path / "2", pa.decimal128(38, 18), Decimal("1.239"))
    message = r"column Value: numeric\(18,2\) cannot hold .*cannot be altered to numeric: .*used by a view"
    with pytest.raises(ConfigurationError, match=message):
        merge(source, sql_conn_id="warehouse", table="items")
    assert postgres.rows("items", ["Value"]) == [(Decimal("1.25"),)]


@pytest.mark.parametrize("declared", ["integer", "smallint", "numeric(38,18)", "numeric", "double precision"])
def test_postgres_keeps_whole_numbers_in_any_number_that_holds_them(
    postgres: PostgreSQL, tmp_path: Path, declared: str
) -> None:
    from airflow_provider_sfjwt.tables import merge

    postgres.run(f'CREATE TABLE items ("Id" text PRIMARY KEY, "Value" {declared})')
    merge(one_value(tmp_path / "1", pa.decimal128(38, 18), Decimal(7)), sql_conn_id="warehouse", table="items")
    assert [int(value) for (value,) in postgres.rows("items", ["Value"])] == [7]
    if "int" in declared:
        source = one_value(tmp_path / "2", pa.int64(), 2**40)
        with pytest.raises(ConfigurationError, match=rf"column Value: {declared} cannot hold int64: 1 values"):
            merge(source, sql_conn_id="warehouse", table="items")


def test_a_column_that_became_double_goes_into_the_same_table(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    """A number of 1e20 or more makes a column of one data set float64."""
    into(one_value(tmp_path / "1", pa.decimal128(38, 18), Decimal("1.5")))
    source = one_value(tmp_path / "2", pa.float64(), 2.5, 1e25)
    if database.label == "postgres":
        into(source)
        assert database.rows("items", ["Value"]) == [(Decimal("2.5"),), (Decimal(10**25),)]
    else:
        refused(into, source, "column Value")


def test_a_table_without_a_unique_key_is_refused(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    database.run('CREATE TABLE items ("Id" VARCHAR, "Name" VARCHAR, UNIQUE ("Id", "Name"))')
    source = publish(tmp_path / "1", [item(1)])
    refused(
        into, source, r'table: .*items has no primary key or unique index over exactly "Id"', columns=["Id", "Name"]
    )
    assert into(source, mode="append", columns=["Id", "Name"]).inserted == 1


def test_a_view_in_the_way_is_refused(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    database.run("CREATE VIEW items AS SELECT 'x' AS \"Id\"")
    refused(into, publish(tmp_path / "1", [item(1)]), r"table: .*items is a view; name a table")


def test_names_that_would_be_the_same_are_refused(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    types = {"Id": pa.string(), "Owner.Name": pa.string(), "Owner_Name": pa.string()}
    source = publish(tmp_path / "1", [{"Id": "1"}], types=types)
    message = r"column_mapping: columns Owner.Name and Owner_Name would both be owner_name"
    refused(into, source, message, naming="snake")
    assert into(source, naming="snake", column_mapping={"Owner.Name": "owner"}).inserted == 1


def test_a_column_in_another_case(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    database.run("CREATE TABLE items (id VARCHAR PRIMARY KEY, name VARCHAR)")
    source = publish(tmp_path / "1", [item(1)])
    if database.label == "postgres":
        message = r"column Id: public.items has it as id; give naming='snake' or a column_mapping"
        refused(into, source, message, columns=["Id", "Name"])
        into(source, columns=["Id", "Name"], naming="snake")
    else:
        into(source, columns=["Id", "Name"])
    assert database.run("SELECT id, name FROM items") == [(record_id(1), "Item 1")]


def test_a_name_that_postgres_would_cut_is_refused(postgres: PostgreSQL, tmp_path: Path) -> None:
    from airflow_provider_sfjwt.tables import merge

    long = "Ä" * 32  # 64 bytes
    source = publish(tmp_path / "1", [{"Id": "1"}], types={"Id": pa.string(), long: pa.string()})
    with pytest.raises(ConfigurationError, match=rf"column {long}: has more than the 63 bytes that PostgreSQL keeps"):
        merge(source, sql_conn_id="warehouse", table="items")
    assert merge(source, sql_conn_id="warehouse", table="items", column_mapping={long: "short"}).inserted == 1
    for argument in ("table", "ledger_table"):
        with pytest.raises(
            ConfigurationError, match=rf"table: '{long}' has more than the 63 bytes that PostgreSQL keeps"
        ):
            merge(source, **{"sql_conn_id": "warehouse", "table": "items", argument: long})  # type: ignore[arg-type]
