"""Any spelling of one value is one cell, from Python, Arrow and text; or a fault with its row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of
from airflow_provider_sfjwt.files.values.from_python import Digits
from airflow_provider_sfjwt.load.sending.json_records import record_of
from airflow_provider_sfjwt.testing import Field
from tests.load.staging.rows import column
from tests.random_tests import examples

ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime.fromisoformat("1701-01-01"), datetime.fromisoformat("3999-12-31"), timezones=ZONES)


def cells(kind: str, spellings: list[Any]) -> set[str | None]:
    """The cells of spellings, each from Python and, where it has a type there, from Arrow."""
    found = set()
    for each in spellings:
        columns: list[Any] = [each] if isinstance(each, pa.Array) else [[each]]
        if isinstance(each, str) and not isinstance(each, Digits):
            columns.append(pa.array([each]))
        for values in columns:
            written, unfit = cells_of(
                pa.chunked_array([values]) if isinstance(values, pa.Array) else values, Form(kind)
            )
            assert unfit == [], (kind, each)
            found.update(written.to_pylist())
    return found


def over_rest(kind: str, cell: str) -> Any:
    one = column(Field("It__c", kind))
    return record_of({"It__c": cell}, [one])["It__c"]


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(-(2**31), 2**31 - 1))
def test_whole_numbers(number: int) -> None:
    spellings: list[Any] = [
        number, float(number), Decimal(number), Decimal(f"{number}.00"), Digits(f"{number}.0"), np.int64(number),
        np.float64(number), pa.array([number]), pa.array([float(number)]),
        pa.array([Decimal(number)], pa.decimal128(38, 18)),
    ]  # fmt: skip
    for kind in ("int", "long", "double", "currency", "string"):
        of_text = [] if kind == "string" else [str(number), f"{number}.0", f"{number}e0"]
        assert cells(kind, [*spellings, *of_text]) == {str(number)}
    assert over_rest("int", str(number)) == number


@settings(max_examples=examples(30), deadline=None)
@given(st.floats(-1e15, 1e15, allow_nan=False))
def test_fractions(number: float) -> None:
    exact = Decimal(repr(number))
    spellings = [number, exact, Digits(repr(number)), np.float64(number), pa.array([number])]
    (cell,) = cells("double", [*spellings, repr(number), f"{exact:f}"])
    assert cell is not None
    assert Decimal(cell) == exact
    assert float(over_rest("double", cell)) == number
    assert cells("string", spellings) == {cell}


@settings(max_examples=examples(30), deadline=None)
@given(MOMENTS)
def test_moments(drawn: datetime) -> None:
    moment = drawn.replace(microsecond=drawn.microsecond // 1000 * 1000)
    utc = moment.astimezone(timezone.utc)
    spellings: list[Any] = [
        moment, utc, moment.isoformat(), moment.isoformat(sep=" "), utc.isoformat().replace("+00:00", "Z"),
        pa.array([utc], pa.timestamp("us", "UTC")), pa.array([utc], pa.timestamp("ms", "Asia/Tokyo")),
    ]  # fmt: skip
    expected = f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    assert cells("datetime", spellings) == {expected}
    assert over_rest("datetime", expected) == expected


@settings(max_examples=examples(30), deadline=None)
@given(st.dates(date(1700, 1, 1), date(4000, 12, 31)), ZONES)
def test_days(day: date, zone: timezone) -> None:
    midnight = datetime.combine(day, datetime.min.time())
    spellings: list[Any] = [
        day, midnight, midnight.replace(tzinfo=zone), day.isoformat(), f"{day}T00:00:00.000Z", f"{day} 00:00:00",
        midnight.replace(tzinfo=zone).isoformat(), pa.array([day]), pa.array([midnight]), np.datetime64(day),
    ]  # fmt: skip
    assert cells("date", spellings) == {day.isoformat()}


def faulty() -> Iterator[tuple[str, Any]]:
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    yield from (("date", each) for each in (noon, noon.isoformat(), "2026-02-30", 20260131, 1.5, True, "today"))
    yield from (("datetime", each) for each in (noon.date(), noon.replace(tzinfo=None), "2026-01-31", 1700000000, "x"))
    yield from (("int", each) for each in (1.5, "1.5", 2**31, True, float("nan"), noon))
    yield from (("double", each) for each in ("1,5", True, float("inf"), noon, b"1"))
    yield from (("boolean", each) for each in (2, 0.5, "maybe", noon))


def test_what_has_no_one_meaning_is_a_fault_with_its_row() -> None:
    for kind, value in faulty():
        good = {"date": "2026-01-31", "datetime": "2026-01-31T12:00:00.000Z"}.get(kind, "1")
        _, unfit = cells_of([good, value], Form(kind))
        assert [each.row for each in unfit] == [1], (kind, value)
        _, unfit = cells_of(pa.chunked_array([pa.array([None, value])]), Form(kind))
        assert [each.row for each in unfit] == [1], (kind, value)
