"""Every type and every trap of text: written by a merge, read back by the database's own client, equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables import MergeReport
from tests.tables.data_sets import publish
from tests.tables.databases import PostgreSQL, TestDatabase

WIDE = pa.decimal128(38, 18)
UTC = timezone.utc
TEXTS = [
    "", "NULL", "null", r"\N", r"\.", "NA", "#N/A", '"', "'", '""', "a,b", "a\tb", "a\nb", "a\r\nb", "a\rb", "\\", " ",
    " a ", "\u2028", "\u0085", "\ufeff", "Zürich 東京 🚀", "%s %(a)s ? :x $1", "0x", "1e5", "é", "x" * 131_072,
]  # fmt: skip
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), TEXTS),
    "boolean": (pa.bool_(), [True, False]),
    "integer": (pa.int64(), [0, -1, 2**63 - 1, -(2**63)]),
    "wide_decimal": (
        WIDE,
        [
            Decimal(text)
            for text in (
                "0", "100", "1300.56172841", "-0.5", "0.000000000000000001", "-0.0000001", "0.00000123",
                "99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999", "10", "1E+10",
            )
        ],
    ),
    "currency": (pa.decimal128(18, 2), [Decimal("0.00"), Decimal("1.20"), Decimal("-9999999999999999.99")]),
    "no_scale": (pa.decimal128(38, 0), [Decimal(10**37), Decimal(0), Decimal("-1200")]),
    "double": (pa.float64(), [0.1, 1e300, -5e-324, 1.7976931348623157e308, 123456789.12345679, 1e25]),
    "date": (pa.date32(), [date(1, 1, 1), date(1700, 1, 1), date(2026, 3, 29), date(4000, 12, 31), date(9999, 12, 31)]),
    "time": (pa.time32("ms"), [time(0, 0), time(23, 59, 59, 999000), time(10, 0, 0, 1000)]),
    "timestamp": (
        pa.timestamp("ms", tz="UTC"),
        [
            datetime(1700, 1, 1, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 30, 0, 999000, tzinfo=UTC),
            datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1),
            datetime(4000, 12, 31, 23, 59, 59, tzinfo=UTC),
        ],
    ),
}  # fmt: skip


#: Kinds of values and back ends, with how many values came back equal.
equal: dict[tuple[str, str], int] = {}


@pytest.fixture(autouse=True, scope="module")
def reported(said: list[str]) -> Iterator[None]:
    yield
    for kind in VALUES:
        backends = {backend: count for (each, backend), count in equal.items() if each == kind}
        if backends:
            counts = ", ".join(f"{backend} {count}" for backend, count in backends.items())
            said.append(f"Value table, {kind:<13} written by a merge, read back equal: {counts}")


@pytest.mark.parametrize("kind", VALUES)
def test_values_come_back_as_they_were(
    kind: str,
    database: TestDatabase,
    into: Callable[..., MergeReport],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    arrow_type, values = VALUES[kind]
    rows = [{"Id": f"{place:03d}", "Value": value} for place, value in enumerate([None, *values])]
    source = publish(tmp_path / "set", rows, types={"Id": pa.string(), "Value": arrow_type}, rows_per_part=4)

    report = into(source)

    assert report.inserted == len(rows)
    found = database.column("items", "Value")
    assert found == [None, *map(database.value, values)]
    assert list(map(type, found[1:])) == [type(database.value(value)) for value in values]
    equal[kind, f"{request.node.callspec.params['database']} by {database.client}"] = len(found)


def test_a_double_that_is_not_finite_comes_back(
    database: TestDatabase, into: Callable[..., MergeReport], tmp_path: Path
) -> None:
    rows = [{"Id": "1", "Value": math.inf}, {"Id": "2", "Value": -math.inf}]
    into(publish(tmp_path / "set", rows, types={"Id": pa.string(), "Value": pa.float64()}))
    assert database.rows("items", ["Value"]) == [(math.inf,), (-math.inf,)]


def test_people_see_the_digits_of_a_number_and_no_zeros(postgres: PostgreSQL, tmp_path: Path) -> None:
    from airflow_provider_sfjwt.tables import merge

    numbers = ["0", "100", "1300.56172841", "0.1", "-0.00000025"]
    rows = [{"Id": str(place), "Value": Decimal(number)} for place, number in enumerate(numbers)]
    source = publish(tmp_path / "set", rows, types={"Id": pa.string(), "Value": WIDE})
    merge(source, sql_conn_id="warehouse", table="items")
    assert [value for (value,) in postgres.run('SELECT "Value"::text FROM items ORDER BY "Id"')] == numbers


def test_nul_in_text_is_refused_or_removed_where_it_cannot_be_stored(
    database: TestDatabase, into: Callable[..., MergeReport], tmp_path: Path
) -> None:
    rows = [{"Id": "1", "Value": "fine"}, {"Id": "2", "Value": "a\0b"}]
    source = publish(tmp_path / "set", rows, types={"Id": pa.string(), "Value": pa.string()})
    if database.label != "postgres":
        into(source)
        assert database.rows("items", ["Value"]) == [("fine",), ("a\0b",)]
        return

    with pytest.raises(ConfigurationError, match=r"nul_characters: column Value of 2 holds the character U\+0000"):
        into(source)
    assert database.run("SELECT to_regclass('items')") == [(None,)]
    into(source, nul_characters="remove")
    assert database.rows("items", ["Value"]) == [("fine",), ("ab",)]
