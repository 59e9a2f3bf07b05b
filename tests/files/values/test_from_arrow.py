from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.values.from_arrow import salesforce_text

#: Without a zone.
MOMENTS = [datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2900-01-01")]


def text(values: pa.Array, null_policy: str = "ignore") -> list[str | None]:
    table, faults = salesforce_text(pa.table({"c": values}), null_policy=null_policy)
    assert faults == []
    assert table.schema.types == [pa.string()]
    return table.column("c").to_pylist()


def fault(values: pa.Array) -> str:
    table, faults = salesforce_text(pa.table({"c": values}), null_policy="ignore", first_row=11)
    assert table.column("c").null_count == len(values)
    ((name, message),) = faults
    assert name == "c"
    return message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", "", None, "#N/A", " b "]), ["a", None, None, "#N/A", " b "]),
        (pa.array(["a", ""], pa.large_string()), ["a", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([-1, 2**63 - 1]), ["-1", "9223372036854775807"]),
        (pa.array([1.0, 0.1, 1e20, 1e-7, -1.5e300, None])[:4], ["1", "0.1", "1" + "0" * 20, "0.0000001"]),
        (pa.array([0.1, None], pa.float32()), ["0.1", None]),
        (pa.array([Decimal("1.10"), Decimal("0E-10")], pa.decimal128(20, 10)), ["1.1000000000", "0.0000000000"]),
        (pa.array([Decimal("1200")], pa.decimal128(5, -2)), ["1200"]),
        (pa.array([date(2026, 2, 28), None]), ["2026-02-28", None]),
        (pa.array([date(2026, 2, 28)], pa.date64()), ["2026-02-28"]),
        (pa.array([time(1, 2, 3, 4567)]), ["01:02:03.004Z"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_each_type_becomes_what_salesforce_reads(values: pa.Array, expected: list[str | None]) -> None:
    assert text(values) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:30"])
def test_moments_are_written_in_utc(unit: str, zone: str) -> None:
    moments = [datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc), datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)]
    assert text(pa.array(moments, pa.timestamp(unit, zone))) == ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]


def test_fractions_are_cut_off_downwards_even_before_1970() -> None:
    before = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    assert text(pa.array([before], pa.timestamp("us", "UTC"))) == ["1969-12-31T23:59:59.999Z"]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value_without_exponent(number: float) -> None:
    (written,) = text(pa.array([number]))
    assert written is not None
    assert float(written) == number
    assert "e" not in written.lower()


@settings(deadline=None)
@given(st.datetimes(MOMENTS[0], MOMENTS[1]), st.integers(-12, 12))
def test_a_moment_is_the_same_moment(naive: datetime, hours: int) -> None:
    moment = naive.replace(microsecond=naive.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(hours=hours)))
    (written,) = text(pa.array([moment], pa.timestamp("us", "UTC")))
    assert written is not None
    assert datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%f%z") == moment


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pa.array([MOMENTS[0]]), "without a time zone"),
        (pa.array([1.0, float("nan")]), "row 12 holds nan"),
        (pa.array([None, None, float("-inf")]), "row 13 holds -inf"),
        (pa.array([[1]]), "type list"),
        (pa.array([b"x"]), "type binary"),
        (pa.array([timedelta(1)]), "type duration"),
    ],
)
def test_what_is_no_value_of_salesforce_is_told(values: pa.Array, words: str) -> None:
    assert words in fault(values)


def test_nulls_are_left_or_cleared() -> None:
    values: list[Any] = ["a", None, ""]
    assert text(pa.array(values), "ignore") == ["a", None, None]
    assert text(pa.array(values), "clear") == ["a", "#N/A", "#N/A"]
    assert text(pa.array([True, None]), "clear") == ["true", "#N/A"]
    with pytest.raises(ValueError, match="not one of ignore, clear"):
        text(pa.array(values), "maybe")


def test_a_table_without_rows_or_chunks_is_text_as_well() -> None:
    schema = pa.schema(
        [("f", pa.float64()), ("s", pa.string()), ("t", pa.timestamp("us", "UTC")), ("d", pa.decimal128(5, 2))]
    )
    table, faults = salesforce_text(schema.empty_table(), null_policy="clear")
    assert (table.num_rows, faults) == (0, [])
