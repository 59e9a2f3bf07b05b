from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.data.numbers import java_text, rounded, stored_number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        # What Double.toString of a JDK prints for these doubles.
        ("0", "0.0"),
        ("-0.0", "0.0"),
        ("1", "1.0"),
        ("100", "100.0"),
        ("1300.56172841", "1300.56172841"),
        ("1.3333333333333333", "1.3333333333333333"),
        ("0.0033333333333333335", "0.0033333333333333335"),
        ("0.001", "0.001"),
        ("0.00099", "9.9E-4"),
        ("-0.0001", "-1.0E-4"),
        ("9999999.9", "9999999.9"),
        ("9999999", "9999999.0"),
        ("10000000", "1.0E7"),
        ("12345678", "1.2345678E7"),
        ("16147805824397", "1.6147805824397E13"),
        ("1e20", "1.0E20"),
        ("1.7976931348623157e308", "1.7976931348623157E308"),
        ("5e-324", "5.0E-324"),
        ("1e3", "1000.0"),
        ("123.4500", "123.45"),
        # Digits beyond those of a double, which are kept.
        ("12345678901234.5678", "1.23456789012345678E13"),
        ("0.123456789012345678901234", "0.123456789012345678901234"),
    ],
)
def test_numbers_are_printed_as_java_prints_doubles(number: str, text: str) -> None:
    assert java_text(Decimal(number)) == text
    assert stored_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back(number: float) -> None:
    text = stored_number(number)
    assert float(text) == number
    mantissa, _, exponent = text.partition("E")
    assert "." in mantissa
    assert (exponent == "") == (number == 0 or 1e-3 <= abs(number) < 1e7)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "Infinity", "x", "1e309", Decimal("-1e400")])
def test_what_no_double_is_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        stored_number(wrong)


def test_a_load_keeps_24_places() -> None:
    assert rounded(Decimal("0.1234567890123456789012345")) == Decimal("0.123456789012345678901235")
    assert rounded(Decimal("123456789.123456789012345678901234")) == Decimal("123456789.123456789012345678901234")


DESCRIBED = [
    Field("Amount__c", "currency", precision=18, scale=2),
    Field("Rate__c", "double", precision=18, scale=1),
    Field("Whole__c", "double", precision=18, scale=0),
    Field("Share__c", "percent", precision=18, scale=2),
    Field("Plain__c", "double"),
]
WRITTEN = {
    "Amount__c": "1300.56172841",
    "Rate__c": "1.3333333333333333",
    "Whole__c": "0.5",
    "Share__c": "0.0033333333333333335",
    "Plain__c": "16147805824397",
}


@pytest.mark.parametrize("loaded", [False, True])
def test_numbers_are_not_rounded_to_the_described_scale(org: SimulatedOrg, api, loaded: bool) -> None:
    org.define_object("Number__c", DESCRIBED)
    if loaded:
        assert api.refusals("Number__c", "insert", f"{','.join(WRITTEN)}\n{','.join(WRITTEN.values())}\n") == []
    else:
        org.insert("Number__c", [WRITTEN])
    kept = {name: Decimal(str(value)) for name, value in org.rows("Number__c")[0].items() if name in WRITTEN}
    assert kept == {name: Decimal(text) for name, text in WRITTEN.items()}
    printed = ["1300.56172841", "1.3333333333333333", "0.5", "0.0033333333333333335", "1.6147805824397E13"]
    soql = f"SELECT {','.join(WRITTEN)} FROM Number__c"
    over_rest = api.query(soql).text
    assert [text in over_rest for text in printed] == [True] * 5
    job = api.finished_job(soql)
    assert api.get(f"jobs/query/{job}/results").text.splitlines()[1] == ",".join(f'"{text}"' for text in printed)


def test_numbers_compare_sort_and_add_as_numbers(org: SimulatedOrg, api) -> None:
    org.define_object("Number__c", [Field("N__c", "double", precision=18, scale=2), Field("L__c", "long")])
    rows = ["100", "9", "1e7", "-0.5", None, "0.1", "0.2"]
    org.insert("Number__c", [{"Name": str(text), "N__c": text, "L__c": 2**40} for text in rows])
    found = api.records("SELECT Name FROM Number__c WHERE N__c > 9 ORDER BY N__c DESC")
    assert [record["Name"] for record in found] == ["1e7", "100"]
    in_order = api.records("SELECT Name FROM Number__c WHERE N__c != null ORDER BY N__c")
    assert [record["Name"] for record in in_order] == ["-0.5", "0.1", "0.2", "9", "100", "1e7"]
    assert [r["Name"] for r in api.records("SELECT Name FROM Number__c WHERE N__c IN (100.0, 0.10)")] == ["100", "0.1"]
    total = api.query("SELECT SUM(N__c) s, MIN(N__c) l, MAX(N__c) g, AVG(N__c) a FROM Number__c WHERE N__c < 1").text
    assert '"s":-0.2,"l":-0.5,"g":0.2,"a":-0.06666666666666667' in total
    assert api.records("SELECT L__c FROM Number__c LIMIT 1")[0]["L__c"] == 2**40


def test_a_number_with_more_digits_before_the_point_than_described_is_refused(org: SimulatedOrg, api) -> None:
    org.define_object("Number__c", [Field("N__c", "currency", precision=5, scale=2)])
    assert api.refusals("Number__c", "insert", "N__c\n999.9999\n") == []
    assert "NUMBER_OUTSIDE_VALID_RANGE" in api.refusals("Number__c", "insert", "N__c\n1000\n")[0]
