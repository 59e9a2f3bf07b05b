from __future__ import annotations

from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from tests.tables.databases import DuckDB
from tests.tables.queries.frozen import content, frozen, types

pytestmark = pytest.mark.parametrize("database", ["duckdb"], indirect=True)
KEPT: dict[str, tuple[str, str, Any]] = {
    "yes": ("true", "bool", True),
    "byte": ("255::UTINYINT", "int64", 255),
    "large": ("(-9223372036854775808)::BIGINT", "int64", -(2**63)),
    "unsigned": ("18446744073709551615::UBIGINT", "decimal128(38, 0)", Decimal(2**64 - 1)),
    "huge": ("12345678901234567890123::HUGEINT", "decimal128(38, 0)", Decimal(12345678901234567890123)),
    "price": ("12.50::DECIMAL(18,2)", "decimal128(18, 2)", Decimal("12.50")),
    "double": ("5e-324::DOUBLE", "float64", 5e-324),
    "day": ("DATE '9999-12-31'", "date32", date(9999, 12, 31)),
    "clock": ("TIME '23:59:59.999999'", "time64[us]", time(23, 59, 59, 999999)),
    "moment": (
        "TIMESTAMPTZ '2026-03-29 01:30:00.123456+02'", "timestamp[us, tz=UTC]",
        datetime(2026, 3, 28, 23, 30, 0, 123456, tzinfo=timezone.utc),
    ),
    "wall": ("TIMESTAMP_NS '2026-03-29 02:30:00.5'", "timestamp[us]", datetime(2026, 3, 29, 2, 30, 0, 500000)),  # noqa: DTZ001  # it has no zone
    "text": ("'Zoë 🦊 \"quoted\"'", "string", 'Zoë 🦊 "quoted"'),
    "empty": ("''", "string", ""),
    "nothing": ("NULL", "string", None),
    "key": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "document": ("""'{"b": 2.50}'::JSON""", "string", '{"b": 2.50}'),
    "choice": ("'b'::ENUM('a', 'b')", "string", "b"),
}  # fmt: skip


def test_every_value_is_kept(database: DuckDB, tmp_path: Path) -> None:
    sql = ", ".join(f'{sql} AS "{name}"' for name, (sql, _, _) in KEPT.items())
    receipt = frozen(tmp_path / "out", f"SELECT {sql};")
    (row,) = content(tmp_path / "out").to_pylist()
    assert types(receipt) == {name: kind for name, (_, kind, _) in KEPT.items()}
    assert row == {name: value for name, (_, _, value) in KEPT.items()}


def test_what_has_no_one_meaning_is_refused(database: DuckDB, tmp_path: Path) -> None:
    refused = {
        "list": "[1, 2]", "struct": "{'a': 1}", "map": "MAP {'a': 1}", "span": "INTERVAL 1 DAY", "bytes": "'x'::BLOB",
        "zoned": "'10:00:00+01'::TIMETZ", "bits": "'101'::BIT",
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        frozen(tmp_path / "out", "SELECT 1 AS fine, " + ", ".join(f"{sql} AS {name}" for name, sql in refused.items()))
    for name in refused:
        assert f"column {name}: is " in str(caught.value)
    assert "column fine" not in str(caught.value)
    unfit = ("'nan'::DOUBLE", "'infinity'::DATE", "'infinity'::TIMESTAMP", "DATE '290000-01-01'", "TIMESTAMP_NS '2026-01-01 00:00:00.000000001'")  # fmt: skip
    for sql in unfit:
        with pytest.raises(ConfigurationError, match="column odd: is .* and holds .*CAST it in the SQL"):
            frozen(tmp_path / "out", f"SELECT * FROM (VALUES (1, NULL), (2, {sql})) AS v(n, odd)")


def test_rows_names_parameters_and_what_is_no_query(database: DuckDB, tmp_path: Path) -> None:
    receipt = frozen(tmp_path / "out", "SELECT range AS n FROM range(100000) WHERE range >= ?", [10])
    assert content(tmp_path / "out").column("n").to_pylist() == list(range(10, 100_000))
    assert receipt.records == 99_990
    frozen(tmp_path / "out", "SELECT $said AS said", {"said": "it's"})
    assert content(tmp_path / "out").to_pylist() == [{"said": "it's"}]
    with pytest.raises(ConfigurationError, match="column A: is there twice, as columns 1 and 2"):
        frozen(tmp_path / "out", 'SELECT 1 AS a, 2 AS "A"')
    with pytest.raises(ConfigurationError, match="'warehouse' refuses it: .*read-only"):
        frozen(tmp_path / "out", "CREATE TABLE made (n INT)")
    with pytest.raises(ConfigurationError, match="'warehouse' refuses it: Catalog Error"):
        frozen(tmp_path / "out", "SELECT * FROM receipt")  # a variable of this test
