"""Every type of PostgreSQL: what becomes of it, by both drivers, in sessions that are set oddly."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from tests.tables.databases import PostgreSQL
from tests.tables.queries.frozen import content, frozen, types

pytestmark = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)

#: By a name: the SQL of the value, the type in the receipt, and the value.
KEPT: dict[str, tuple[str, str, Any]] = {
    "yes": ("true", "bool", True),
    "no": ("false", "bool", False),
    "small": ("(-32768)::smallint", "int64", -32768),
    "large": ("9223372036854775807", "int64", 9223372036854775807),
    "price": ("(-12.50)::numeric(18,2)", "decimal128(18, 2)", Decimal("-12.50")),
    "widest": (f"{'9' * 20}.{'9' * 18}::numeric(38,18)", "decimal128(38, 18)", Decimal("9" * 20 + "." + "9" * 18)),
    "wider": ("1.25::numeric(60,2)", "decimal128(38, 2)", Decimal("1.25")),
    "small_scale": ("0.00012::numeric(2,5)", "decimal128(5, 5)", Decimal("0.00012")),
    "hundreds": ("12345::numeric(3,-2)", "decimal128(38, 18)", Decimal("12300")),
    "own_digits": ("1300.56172841::numeric * 1", "decimal128(38, 18)", Decimal("1300.56172841")),
    "tiny": ("5e-324::float8", "float64", 5e-324),
    "third": ("(1.0/3)::float8", "float64", 1 / 3),
    "real": ("0.1::float4", "float64", 0.1),
    "first_day": ("'0001-01-01'::date", "date32", date(1, 1, 1)),
    "last_day": ("'9999-12-31'::date", "date32", date(9999, 12, 31)),
    "clock": ("'23:59:59.999999'::time", "time64[us]", time(23, 59, 59, 999999)),
    "moment": (
        "'2026-03-29 01:30:00.123456+02'::timestamptz", "timestamp[us, tz=UTC]",
        datetime(2026, 3, 28, 23, 30, 0, 123456, tzinfo=timezone.utc),
    ),
    "wall": ("'2026-03-29 02:30:00.5'::timestamp", "timestamp[us]", datetime(2026, 3, 29, 2, 30, 0, 500000)),  # noqa: DTZ001  # it has no zone
    "empty": ("''::text", "string", ""),
    "nothing": ("NULL::text", "string", None),
    "nothing_whole": ("NULL::int", "int64", None),
    "called_null": ("'NULL'", "string", "NULL"),
    "backslash": (r"'\N'", "string", r"\N"),
    "end_of_copy": (r"'\.'", "string", r"\."),
    "quotes": ("""'a"b''c,d;e'""", "string", """a"b'c,d;e"""),
    "lines": (r"E'a\nb\r\nc\td'", "string", "a\nb\r\nc\td"),
    "percent": ("'100 %s %% ?'", "string", "100 %s %% ?"),
    "emoji": ("'Zoë 🦊 \u2028'", "string", "Zoë 🦊 \u2028"),
    "padded": ("'ab'::char(5)", "string", "ab   "),
    "document": ("""'{"b": [1, 2.50]}'::json""", "string", '{"b": [1, 2.50]}'),
    "binary_document": ("""'{"b":2.50}'::jsonb""", "string", '{"b": 2.50}'),
    "key": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "address": ("'10.0.0.1/8'::inet", "string", "10.0.0.1/8"),
    "mood": ("'happy'::mood", "string", "happy"),
    "domain": ("5::positive", "int64", 5),
}  # fmt: skip
REFUSED = {
    "list": "ARRAY[1,2]", "span": "interval '1 day'", "cash": "5::money", "bytes": r"'\x00'::bytea",
    "zoned_clock": "'10:00+01'::timetz", "ranged": "int4range(1,3)", "bits": "B'101'", "pair": "ROW(1,2)",
    "place": "point(1,2)",
}  # fmt: skip
UNFIT = {
    "numeric 'NaN'": "NaN",
    "'Infinity'::float8": "Infinity",
    "'NaN'::float4": "NaN",
    "'infinity'::timestamptz": "infinity",
    "'-infinity'::date": "-infinity",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'24:00'::time": "24:00:00",
    "1::numeric / 3": "0.33333333333333333333",
    "1e30::numeric": "1000000000000000000000000000000",
    # Arrow's cast from text would make 18960114910927365649.47… of the one before.
    "1e20::numeric": "100000000000000000000",
    "-1e21::numeric(60,2) * 1e17": "-100000000000000000000000000000000000000.00",
    "1e37::numeric(60,2)": "10000000000000000000000000000000000000.00",
}
ODD = "-c datestyle=German,DMY -c timezone=Asia/Tokyo -c default_transaction_isolation=serializable -c intervalstyle=sql_standard -c extra_float_digits=-5 -c bytea_output=escape"


@pytest.mark.parametrize("options", ["", f"{ODD} -c client_encoding=LATIN1"], ids=["plain", "odd"])
def test_every_value_is_kept(
    database: PostgreSQL, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("CREATE TYPE mood AS ENUM ('happy', 'sad')", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    if options:
        database.extra = {"options": options, "cursor": "dictcursor"}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    sql = ",\n".join(f'{sql} AS "{name}"' for name, (sql, _, _) in KEPT.items())
    receipt = frozen(tmp_path, f"SELECT {sql} -- the end")
    (row,) = content(tmp_path).to_pylist()
    assert types(receipt) == {name: kind for name, (_, kind, _) in KEPT.items()}
    assert row == {name: value for name, (_, _, value) in KEPT.items()}


def test_types_without_one_meaning_are_refused_together(database: PostgreSQL, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        frozen(tmp_path, "SELECT 1 AS fine, " + ", ".join(f"{sql} AS {name}" for name, sql in REFUSED.items()))
    for name in REFUSED:
        assert f"column {name}: is " in str(caught.value)
    assert "integer[], which has no one meaning as a field. CAST it in the SQL" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_values_that_cannot_be_kept_are_named(database: PostgreSQL, tmp_path: Path) -> None:
    for sql, shown in UNFIT.items():
        with pytest.raises(ConfigurationError) as caught:
            frozen(tmp_path, f"SELECT * FROM (VALUES (1, NULL), (2, {sql})) AS v(n, odd)")
        assert "column odd: is " in str(caught.value), sql
        assert f"holds {shown}, which" in str(caught.value), sql
        assert "CAST it in the SQL" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
def test_a_fault_in_the_middle_ends_the_stream(database: PostgreSQL, tmp_path: Path) -> None:
    odd = "CASE WHEN n = 20000 THEN 'NaN'::float8 ELSE 0.5 END AS odd"
    with pytest.raises(ConfigurationError, match="column odd: is double precision and holds NaN"):
        frozen(tmp_path, f"SELECT n, {odd}, repeat('x', 100) AS text FROM generate_series(1, 2000000) AS n")
    assert list(tmp_path.iterdir()) == []
    assert database.run("SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'") == []


def test_names_that_a_load_could_not_tell_apart_are_refused(database: PostgreSQL, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        frozen(tmp_path, f'SELECT 1 AS a, 2 AS "A", 3 + 4, 5 AS "{"x" * 70}", 6 AS fine')
    assert "column A: is there twice, as columns 1 and 2" in str(caught.value)
    assert "column 3: has no name; give it one with AS" in str(caught.value)
    assert f"column {'x' * 63}: has a name of 63 bytes" in str(caught.value)


@pytest.mark.parametrize("parameters", [{"least": 2, "text": "it's 5 %"}, [2, "it's 5 %"]], ids=["named", "listed"])
def test_parameters(database: PostgreSQL, parameters: Any, tmp_path: Path) -> None:
    first, second = ("%(least)s", "%(text)s") if isinstance(parameters, dict) else ("%s", "%s")
    sql = f"SELECT n, {second}::text AS said FROM generate_series(1, 3) AS n WHERE n >= {first}"
    given = parameters if isinstance(parameters, dict) else parameters[::-1]
    frozen(tmp_path, sql, given)
    assert content(tmp_path).to_pylist() == [{"n": 2, "said": "it's 5 %"}, {"n": 3, "said": "it's 5 %"}]


def test_rows_of_one_column_without_values_are_rows(database: PostgreSQL, tmp_path: Path) -> None:
    receipt = frozen(tmp_path, "SELECT NULLIF(n, 2)::text AS n FROM generate_series(1, 3) AS n;  ")
    assert [row["n"] for row in content(tmp_path).to_pylist()] == ["1", None, "3"]
    assert receipt.records == 3


def test_many_rows_make_several_parts(database: PostgreSQL, tmp_path: Path) -> None:
    receipt = frozen(
        tmp_path, "SELECT n, repeat('x', 50) AS t FROM generate_series(1, 100000) AS n", rows_per_part=30_000
    )
    assert receipt.records == 100_000 and len(receipt.parts) > 1
    assert content(tmp_path).column("n").to_pylist() == list(range(1, 100_001))


def test_a_query_changes_nothing(database: PostgreSQL, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE kept (n int)",
        "CREATE FUNCTION add() RETURNS int LANGUAGE sql AS 'INSERT INTO kept VALUES (1) RETURNING n'",
    )
    with pytest.raises(ConfigurationError, match="cannot execute INSERT in a read-only transaction"):
        frozen(tmp_path, "SELECT add() AS n")
    with pytest.raises(ConfigurationError, match="'warehouse' refuses it: syntax error"):
        frozen(tmp_path, "INSERT INTO kept VALUES (2) RETURNING n")
    assert database.count("kept") == 0


def test_a_fault_of_the_query_is_not_retried_and_a_lost_server_is(
    database: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match='relation "nothing" does not exist') as refused:
        frozen(tmp_path, "SELECT * FROM nothing")
    with pytest.raises(SalesforceError, match="broke off: canceling statement due to statement timeout") as passing:
        database.extra = {"options": "-c statement_timeout=50"}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
        frozen(tmp_path, "SELECT n, pg_sleep(0.01)::text AS t FROM generate_series(1, 1000) AS n")
    assert (refused.value.retryable, passing.value.retryable) == (False, True)
    assert list(tmp_path.iterdir()) == []
