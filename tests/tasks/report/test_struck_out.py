from __future__ import annotations

import pytest

from airflow_provider_sfjwt.tasks.report.struck_out import struck_out


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("No such column 'Industri' on entity", "No such column '…' on entity"),
        ('invalid input: "secret value"', 'invalid input: "…"'),
        ("'O'Brien' is too long", "'…' is too long"),
        ("user hasn't approved this org's app", "user hasn't approved this org's app"),
        ("Key (id)=(001000000000000AAA) already exists", "Key (id)=(…) already exists"),
        ("an empty '' stays", "an empty '' stays"),
        ("'one' and 'two'", "'…' and '…'"),
    ],
)
def test_quoted_values_are_struck_out(text: str, left: str) -> None:
    assert struck_out(text) == left


def test_what_the_report_says_anyway_stays() -> None:
    assert struck_out("No such column 'Nmae', near 'x@example.com'", "SELECT Nmae FROM A") == (
        "No such column 'Nmae', near '…'"
    )


def test_rows_of_a_source_are_struck_out_whole() -> None:
    assert struck_out("this is [{'Name': 12}]", nested=True) == "this is …"
