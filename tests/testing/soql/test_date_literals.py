"""Date literals, as their table in the SOQL reference says."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.soql.date_literals import Calendar

#: A Thursday.
NOW = datetime(2026, 11, 26, 22, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("YESTERDAY", "2026-11-25", "2026-11-26"),
        ("TODAY", "2026-11-26", "2026-11-27"),
        ("TOMORROW", "2026-11-27", "2026-11-28"),
        ("LAST_WEEK", "2026-11-15", "2026-11-22"),
        ("THIS_WEEK", "2026-11-22", "2026-11-29"),
        ("NEXT_WEEK", "2026-11-29", "2026-12-06"),
        ("LAST_MONTH", "2026-10-01", "2026-11-01"),
        ("THIS_MONTH", "2026-11-01", "2026-12-01"),
        ("NEXT_MONTH", "2026-12-01", "2027-01-01"),
        ("LAST_90_DAYS", "2026-08-28", "2026-11-27"),
        ("NEXT_90_DAYS", "2026-11-27", "2027-02-25"),
        ("LAST_N_DAYS:1", "2026-11-25", "2026-11-27"),
        ("NEXT_N_DAYS:2", "2026-11-27", "2026-11-29"),
        ("N_DAYS_AGO:3", "2026-11-23", "2026-11-24"),
        ("LAST_N_WEEKS:2", "2026-11-08", "2026-11-22"),
        ("NEXT_N_WEEKS:2", "2026-11-29", "2026-12-13"),
        ("N_WEEKS_AGO:2", "2026-11-08", "2026-11-15"),
        ("LAST_N_MONTHS:2", "2026-09-01", "2026-11-01"),
        ("NEXT_N_MONTHS:2", "2026-12-01", "2027-02-01"),
        ("N_MONTHS_AGO:12", "2025-11-01", "2025-12-01"),
        ("THIS_QUARTER", "2026-10-01", "2027-01-01"),
        ("LAST_QUARTER", "2026-07-01", "2026-10-01"),
        ("NEXT_QUARTER", "2027-01-01", "2027-04-01"),
        ("LAST_N_QUARTERS:2", "2026-04-01", "2026-10-01"),
        ("NEXT_N_QUARTERS:2", "2027-01-01", "2027-07-01"),
        ("N_QUARTERS_AGO:4", "2025-10-01", "2026-01-01"),
        ("THIS_YEAR", "2026-01-01", "2027-01-01"),
        ("LAST_YEAR", "2025-01-01", "2026-01-01"),
        ("NEXT_YEAR", "2027-01-01", "2028-01-01"),
        ("LAST_N_YEARS:3", "2023-01-01", "2026-01-01"),
        ("NEXT_N_YEARS:3", "2027-01-01", "2030-01-01"),
        ("N_YEARS_AGO:3", "2023-01-01", "2024-01-01"),
        # The fiscal year begins in September.
        ("THIS_FISCAL_QUARTER", "2026-09-01", "2026-12-01"),
        ("LAST_FISCAL_QUARTER", "2026-06-01", "2026-09-01"),
        ("NEXT_FISCAL_QUARTER", "2026-12-01", "2027-03-01"),
        ("LAST_N_FISCAL_QUARTERS:2", "2026-03-01", "2026-09-01"),
        ("NEXT_N_FISCAL_QUARTERS:2", "2026-12-01", "2027-06-01"),
        ("N_FISCAL_QUARTERS_AGO:1", "2026-06-01", "2026-09-01"),
        ("THIS_FISCAL_YEAR", "2026-09-01", "2027-09-01"),
        ("LAST_FISCAL_YEAR", "2025-09-01", "2026-09-01"),
        ("NEXT_FISCAL_YEAR", "2027-09-01", "2028-09-01"),
        ("LAST_N_FISCAL_YEARS:2", "2024-09-01", "2026-09-01"),
        ("NEXT_N_FISCAL_YEARS:2", "2027-09-01", "2029-09-01"),
        ("N_FISCAL_YEARS_AGO:2", "2024-09-01", "2025-09-01"),
    ],
)
def test_spans(literal: str, first: str, after: str) -> None:
    begins, ends = Calendar(NOW, "UTC", 9).span(literal)
    assert (begins.isoformat(), ends.isoformat()) == (f"{first}T00:00:00+00:00", f"{after}T00:00:00+00:00")


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("LAST_N_HOURS:2", "2026-11-26T20:00", "2026-11-26T23:00"),
        ("NEXT_N_HOURS:2", "2026-11-26T23:00", "2026-11-27T01:00"),
        ("N_HOURS_AGO:2", "2026-11-26T20:00", "2026-11-26T21:00"),
    ],
)
def test_hours(literal: str, first: str, after: str) -> None:
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in Calendar(NOW).span(literal)] == [first, after]


def test_days_begin_where_the_user_is() -> None:
    first, after = Calendar(NOW, "Asia/Tokyo").span("TODAY")
    assert first.astimezone(timezone.utc) == datetime(2026, 11, 26, 15, tzinfo=timezone.utc)
    assert after.astimezone(timezone.utc) == datetime(2026, 11, 27, 15, tzinfo=timezone.utc)


def test_a_week_begins_on_sunday() -> None:
    sunday = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
    assert Calendar(sunday).span("THIS_WEEK")[0].day == 22


@pytest.fixture
def dated(org: SimulatedOrg) -> SimulatedOrg:
    org.define_object("Dated__c", [Field("On__c", "date"), Field("At__c", "datetime")])
    now = datetime.now(timezone.utc)
    org.clock_offset = (NOW - now).total_seconds()
    days = ["2026-11-26", "2026-11-25", "2026-11-01", "2026-10-31", "2026-01-01", "2025-12-31", None]
    org.insert("Dated__c", [{"Name": day or "none", "On__c": day, "At__c": day and f"{day}T12:00:00Z"} for day in days])
    return org


@pytest.mark.parametrize("field", ["On__c", "At__c"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("= THIS_MONTH", "2026-11-26 2026-11-25 2026-11-01"),
        ("= LAST_MONTH", "2026-10-31"),
        ("< THIS_YEAR", "2025-12-31"),
        ("<= LAST_YEAR", "2025-12-31"),
        (">= LAST_N_DAYS:1", "2026-11-26 2026-11-25"),
        ("> LAST_MONTH", "2026-11-26 2026-11-25 2026-11-01"),
        ("!= THIS_YEAR", "2025-12-31 none"),
        ("= N_DAYS_AGO:1", "2026-11-25"),
        ("= last_n_months:10", "2026-10-31 2026-01-01"),
    ],
)
def test_both_kinds_of_fields_compare_with_spans(dated, client_of, field, condition, expected) -> None:
    found = client_of(dated).records(f"SELECT Name FROM Dated__c WHERE {field} {condition}")
    assert " ".join(record["Name"] for record in found) == expected


def test_the_users_time_zone_moves_days(dated, client_of) -> None:
    dated.insert("Dated__c", [{"Name": "late", "At__c": "2026-11-26T23:30:00Z"}])
    soql = "SELECT Name FROM Dated__c WHERE At__c = TODAY ORDER BY At__c"
    assert [record["Name"] for record in client_of(dated).records(soql)] == ["2026-11-26", "late"]
    dated.time_zone = "Asia/Tokyo"
    assert [record["Name"] for record in client_of(dated).records(soql)] == ["late"]


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("LAST_EON", "NOT_IN_SIMULATOR"),
        ("N_EONS_AGO:3", "NOT_IN_SIMULATOR"),
        ("THIS_FORTNIGHT", "NOT_IN_SIMULATOR"),
        ("LAST_N_DAYS", "MALFORMED_QUERY"),
        ("SOON", "MALFORMED_QUERY"),
        ("LAST_N_DAYS:9999999999", "MALFORMED_QUERY"),
    ],
)
def test_other_words(api, refusal, literal: str, code: str) -> None:
    assert refusal(api.query(f"SELECT Id FROM Account WHERE CreatedDate = {literal}")) == (400, code)


def test_a_date_literal_wants_a_date(api, refusal) -> None:
    answer = api.query("SELECT Id FROM Account WHERE Name = TODAY")
    assert refusal(answer) == (400, "INVALID_QUERY_FILTER_OPERATOR")
