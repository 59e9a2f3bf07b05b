from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of

#: Without a zone.
MOMENTS = [datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2900-01-01")]


def text(values: pa.Array, kind: str = "string", **options: Any) -> list[str | None]:
    cells, unfit = cells_of(pa.chunked_array([values]), Form(kind, **options))
    assert unfit == []
    assert cells.type == pa.string()
    cells.validate(full=True)
    return cells.to_pylist()


def faults(values: pa.Array, kind: str = "string") -> list[tuple[int, str]]:
    cells, unfit = cells_of(pa.chunked_array([values]), Form(kind))
    assert all(cells[each.row].as_py() is None for each in unfit)
    return [(each.row, each.why) for each in unfit]


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
        (pa.array([Decimal("1.10"), Decimal("0E-10")], pa.decimal128(20, 10)), ["1.1", "0"]),
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
    ("values", "rows", "words"),
    [
        (pa.array([MOMENTS[0], None]), [0], "without a time zone"),
        (pa.array([1.0, float("nan")]), [1], "holds nan"),
        (pa.array([None, float("nan"), float("-inf")]), [1, 2], "which is not a number"),
        (pa.array([[1], None]), [0], "holds a list"),
        (pa.array([b"x", b"\xff"]), [1], "0xFF at byte 1"),
        (pa.array([timedelta(1)]), [0], "is not a time"),
        (pa.array([10**8], pa.int32()).cast(pa.date32()), [0], "out of range"),
        (pa.array([2**62], pa.int64()).cast(pa.timestamp("s", "UTC")), [0], "out of range"),
    ],
)
def test_what_is_no_value_of_salesforce_is_reported_by_row(values: pa.Array, rows: list[int], words: str) -> None:
    found = faults(values)
    assert [row for row, _ in found] == rows
    assert all(words in why for _, why in found)


def test_text_that_is_not_utf8_is_a_fault_of_its_row() -> None:
    broken = pa.array([b"a", b"\xe9"]).view(pa.string())
    assert [row for row, _ in faults(broken)] == [1]
    assert [row for row, _ in faults(broken, "date")] == [0, 1]


def test_white_space_is_taken_off_where_it_is_asked_for() -> None:
    padded = pa.array(["  a \u00a0", "\t\n", None, "b"])
    assert text(padded) == ["  a \u00a0", "\t\n", None, "b"]
    assert text(padded, trim=True) == ["a", None, None, "b"]
    assert text(pa.array(["2026-01-31   "]), "date", trim=True) == ["2026-01-31"]


def test_a_column_without_rows_or_chunks_is_text_as_well() -> None:
    for kind in (pa.float64(), pa.string(), pa.timestamp("us", "UTC"), pa.decimal128(5, 2), pa.list_(pa.string())):
        for each in ("string", "date", "double"):
            assert cells_of(pa.chunked_array([], kind), Form(each))[0].to_pylist() == []
