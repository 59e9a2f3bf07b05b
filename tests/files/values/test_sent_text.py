from __future__ import annotations

import random
from datetime import date, timedelta

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.files.values.cells import UnfitValueError
from airflow_provider_sfjwt.files.values.from_python import cell_of
from airflow_provider_sfjwt.files.values.sent_text import without_odd

CHARACTERS = [*"0123456789-:TZ. +tz/,eE\n", "\uff10", ""]
FORMS = {
    "date": "2026-01-31",
    "datetime": "2026-01-31T12:34:56.789Z",
    "double": "-120.05",
    "int": "-120",
    "boolean": "true",
}


def is_sent_as_it_is(text: str, kind: str) -> bool:
    """Whether a text, alone in its column, is taken for a cell."""
    cells, odd = without_odd(pa.array([text]), kind)
    return odd is None and cells[0].as_py() == text


def cell_or_none(text: str, kind: str) -> str | None:
    try:
        return cell_of(text, kind)
    except UnfitValueError:
        return None


@pytest.mark.parametrize("kind", FORMS)
def test_only_what_is_a_cell_already_is_sent_as_it_is(kind: str) -> None:
    chance = random.Random(kind)
    taken = 0
    for _ in range(3_000):
        text = FORMS[kind]
        for _ in range(chance.randrange(3)):
            place = chance.randrange(len(text) + 1)
            text = text[:place] + chance.choice(CHARACTERS) + text[place + chance.randrange(2) :]
        if text and is_sent_as_it_is(text, kind):
            taken += 1
            assert cell_or_none(text, kind) == text
    assert taken > 500


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T12:34:56+0000", "2026-01-31 12:34:56.789Z", "2026-01-31T12:34:56.78Z ", "1699-12-31T23:59:59.999Z"],
)
def test_a_moment_in_another_form_of_the_same_length_is_odd(text: str) -> None:
    assert not is_sent_as_it_is(text, "datetime")


def test_days_at_the_ends_of_the_calendar() -> None:
    assert [is_sent_as_it_is(each, "date") for each in ("1699-12-31", "1700-01-01", "4000-12-31", "4001-01-01")] == [
        False,
        True,
        True,
        False,
    ]


def test_surplus_zeros_are_taken_off_and_the_rest_is_odd() -> None:
    cells, odd = without_odd(pa.array(["1.50", "2", None, "x", "3.00", "#N/A"]), "double")
    assert cells.to_pylist() == ["1.5", "2", None, "x", "3", "#N/A"]
    assert odd.to_pylist() == [False, False, False, True, False, False]


def test_leap_days_need_no_second_look() -> None:
    days = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in range(366)]
    assert without_odd(pa.array(days), "date")[1] is None
