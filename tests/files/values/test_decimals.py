"""Numbers as Salesforce prints them become decimals with 18 decimal places."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.values.decimals import DECIMAL, TooLargeError, to_decimals
from tests.files.values.java_doubles import java_text

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
below_the_limit = st.floats(min_value=-9e19, max_value=9e19, allow_nan=False)


def converted(*values: str | None) -> tuple[list[Decimal | None], int]:
    numbers, rounded = to_decimals(pa.chunked_array([pa.array(values, pa.string())]))
    assert numbers.type == DECIMAL
    return numbers.to_pylist(), rounded


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1300.56172841", "1300.56172841"),
        ("1.3333333333333333", "1.3333333333333333"),
        ("0.5", "0.5"),
        ("1.6147805824397E13", "16147805824397"),
        ("1.0E7", "10000000"),
        ("-0.0", "0"),
        ("100", "100"),
        ("99999999999999999999.5", "99999999999999999999.5"),
    ],
)
def test_what_fits_is_exact(text: str, number: str) -> None:
    assert converted(text, None) == ([Decimal(number), None], 0)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.0033333333333333335", "0.003333333333333334"),
        ("0.0000000000000000005", "0"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("4.9E-324", "0"),
        ("-1.2345678901234567E-17", "-0.000000000000000012"),
        ("1.2345678901234567E-30", "0"),
    ],
)
def test_the_rest_is_rounded_half_even_and_counted(text: str, number: str) -> None:
    assert converted(text, "2.5", None) == ([Decimal(number), Decimal("2.5"), None], 1)


@pytest.mark.parametrize(
    "text", ["1E20", "-1.0E20", "1.7976931348623157E308", "NaN", "-Infinity", f"{'9' * 20}.{'9' * 19}"]
)
def test_what_no_such_decimal_holds_is_too_large(text: str) -> None:
    with pytest.raises(TooLargeError):
        converted("1.5", text)


@pytest.mark.parametrize("text", ["abc", "1_0", " 1E-40", "1,5", "١E-40", "1e", "--1", "9" * 400 + "x"])
def test_what_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(pa.ArrowInvalid):
        converted("1.5", "1E-45", text)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | below_the_limit | st.floats(min_value=-1, max_value=1), max_size=20))
def test_any_double_is_within_half_a_unit_of_the_last_place(numbers: list[float | None]) -> None:
    printed = [None if number is None else java_text(number) for number in numbers]
    found, rounded = converted(*printed)
    wanted = [None if text is None else Decimal(text).quantize(Decimal("1e-18"), context=WIDE) for text in printed]
    assert found == wanted
    assert rounded == sum(
        text is not None and Decimal(text) != number for text, number in zip(printed, found, strict=True)
    )


@given(st.floats())
def test_java_prints_a_double_so_that_it_can_be_read_back(number: float) -> None:
    assert float(java_text(number)) == number or number != number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (16147805824397.0, "1.6147805824397E13"),
        (-1.5, "-1.5"),
        (100.0, "100.0"),
        (5e-324, "4.9E-324"),
    ],
)
def test_java_prints_a_double_as_its_documents_say(number: float, text: str) -> None:
    assert java_text(number) in (text, text.replace("4.9", "5.0"))
