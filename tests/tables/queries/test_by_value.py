"""SQLite, and any other database that Airflow has a DB-API hook for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tables.queries.by_value import QueryByValue
from airflow_provider_sfjwt.tables.queries.spec import QuerySpec
from tests.tables.databases import SQLite
from tests.tables.queries.frozen import content, frozen, types

ZONED, WALL = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc), datetime(2026, 3, 29, 1, 30)  # noqa: DTZ001  # it has no zone
KEY = UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")


class Cursor:
    """A cursor of a driver that tells nothing but names.

    :param columns: the values of each.
    :param as_dicts: whether its rows are dicts.
    """

    def __init__(self, columns: dict[str, list[Any]], *, as_dicts: bool = False) -> None:
        self.description = [(name, None, None, None, None, None, None) for name in columns]
        rows = zip(*columns.values(), strict=True)
        self._rows = iter([dict(zip(columns, row, strict=True)) if as_dicts else row for row in rows])
        self.executed: tuple[Any, ...] = ()

    def execute(self, *given: Any) -> None:
        self.executed = given

    def fetchmany(self, size: int) -> list[Any]:
        return list(islice(self._rows, size))


def read(columns: dict[str, list[Any]], *, as_dicts: bool = False) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """The types and the values that are read."""
    query = QueryByValue(Cursor(columns, as_dicts=as_dicts), QuerySpec(sql="SELECT", sql_conn_id="x"))
    tables = [table.to_pydict() for table in query.tables()]
    query.close()
    found = {name: [value for table in tables for value in table[name]] for name in columns}
    return {column.name: column.arrow_type for column in query.columns}, found


def test_types_by_the_values_of_all_rows() -> None:
    late = [None] * 12_000  # more than are fetched at once
    columns: dict[str, list[Any]] = {
        "nothing": [*late, None, None],
        "flag": [*late, True, False],
        "whole": [*late, True, 2**63 - 1],
        "beyond": [*late, 2**63, -5],
        "double": [*late, 1, 0.1],
        "decimal": [*late, Decimal("12.50"), 100],
        "exponent": [*late, Decimal("1E+3"), Decimal("0.00012")],
        "text": [*late, "", "Zoë"],
        "key": [*late, KEY, KEY],
        "day": [*late, date(2026, 1, 2), None],
        "clock": [*late, time(1, 2, 3, 4), None],
        "wall": [*late, WALL, None],
        "moment": [*late, ZONED, None],
    }
    kinds, values = read(columns)
    assert kinds == {
        "nothing": "string", "flag": "bool", "whole": "int64", "beyond": "decimal128(38, 0)", "double": "float64",
        "decimal": "decimal128(38, 2)", "exponent": "decimal128(38, 5)", "text": "string", "key": "string",
        "day": "date32", "clock": "time64[us]", "wall": "timestamp[us]", "moment": "timestamp[us, tz=UTC]",
    }  # fmt: skip
    assert values == {**columns, "key": [*late, str(KEY), str(KEY)]}


def test_rows_that_are_dicts_are_read_by_their_values() -> None:
    """As those of MySQL are, whose connection has ``"cursor": "dictcursor"`` in its extra."""
    columns: dict[str, list[Any]] = {"Name": ["Zoë", None], "Employees": [3, 4]}
    assert read(columns, as_dicts=True) == ({"Name": "string", "Employees": "int64"}, columns)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "x"], "holds int and str, e.g. str 'x'"),
        ([b"x"], "holds bytes b'x', which has no one meaning"),
        ([[1]], r"holds list \[1\]"),
        ([{"a": 1}], "holds dict"),
        ([timedelta(1)], "holds timedelta"),
        ([time(1, tzinfo=timezone.utc)], "holds time"),
        ([float("nan")], "holds nan, which is not a number"),
        ([Decimal("Infinity")], "holds Infinity, which is not a number"),
        ([date(2026, 1, 1), WALL], "holds date and datetime"),
        ([WALL, ZONED], "holds datetime and datetime with a zone"),
        ([0.5, 2**53 + 1], "holds floats and 9,007,199,254,740,993"),
        ([Decimal(10**30), Decimal("1e-10")], "holds numbers of more than 38 digits together"),
    ],
)
def test_what_has_no_one_meaning_is_refused_by_its_column(values: list[Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"column odd: {said}.*CAST it in the SQL"):
        read({"fine": [1] * len(values), "odd": values})


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite(database: SQLite, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE sale (n INTEGER, price TEXT, ratio REAL, said TEXT)",
        "INSERT INTO sale VALUES (1, '12.50', 0.1, 'a\nb'), (2, NULL, NULL, ''), (3, '1e400', 2, NULL)",
    )
    sql = "SELECT n, price, ratio, said FROM sale WHERE n <= :most ORDER BY n"
    receipt = frozen(tmp_path / "out", sql, {"most": 2})
    assert types(receipt) == {"n": "int64", "price": "string", "ratio": "float64", "said": "string"}
    assert content(tmp_path / "out").to_pylist() == [
        {"n": 1, "price": "12.50", "ratio": 0.1, "said": "a\nb"},
        {"n": 2, "price": None, "ratio": None, "said": ""},
    ]
    with pytest.raises(ConfigurationError, match="'warehouse' refuses it: no such table: missing"):
        frozen(tmp_path / "out", "SELECT * FROM missing")
    with pytest.raises(ConfigurationError, match="returns no columns; give a SELECT"):
        frozen(tmp_path / "out", "CREATE TABLE made (n)")


class DriverOfItsOwn:
    """A module of a DB-API driver that no class here knows."""

    class Error(Exception): ...

    class OperationalError(Error): ...


@pytest.mark.parametrize(("error", "retryable"), [("OperationalError", True), ("Error", False)])
def test_other_databases_by_their_hooks(
    error: str, retryable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor: Any = Cursor({"n": [1, 2]})
    cursor.close = lambda: None
    connection: Any = type("Connection", (), {"__module__": "driver_of_its_own.core", "cursor": lambda self: cursor, "close": lambda self: None})()  # fmt: skip
    monkeypatch.setitem(__import__("sys").modules, "driver_of_its_own", DriverOfItsOwn)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", '{"conn_type": "exotic"}')
    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", lambda conn_id: SimpleNamespace(get_conn=lambda: connection))
    assert frozen(tmp_path / "out", "SELECT n", ["x"]).records == 2
    assert cursor.executed == ("SELECT n", ["x"])

    def fail(*given: Any) -> None:
        raise getattr(DriverOfItsOwn, error)("as said")

    cursor.execute = fail
    with pytest.raises(SalesforceError, match="as said") as caught:
        frozen(tmp_path / "out", "SELECT n")
    assert caught.value.retryable is retryable


def test_a_connection_without_sql_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", '{"conn_type": "http", "host": "x"}')
    with pytest.raises(ConfigurationError, match="sql_conn_id: connection 'warehouse'"):
        frozen(tmp_path / "out", "SELECT 1")
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")
    with pytest.raises(ConfigurationError, match="there is no connection 'warehouse'"):
        frozen(tmp_path / "out", "SELECT 1")
