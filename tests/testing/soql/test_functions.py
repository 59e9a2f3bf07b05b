"""Functions of fields: parts of dates, labels, formats, currencies, aliases."""

from __future__ import annotations

import csv
import io

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg

#: A Saturday in UTC, and the Friday before in Los Angeles.
MOMENT = "2024-03-30T06:15:00Z"


@pytest.fixture
def dated(org: SimulatedOrg) -> SimulatedOrg:
    org.define_object("Dated__c", [Field("On__c", "date"), Field("At__c", "datetime"), Field("N__c", "int")])
    org.insert("Dated__c", [{"Name": "a", "On__c": "2024-03-30", "At__c": MOMENT, "N__c": 1}, {"Name": "none"}])
    return org


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("CALENDAR_MONTH", 3),
        ("CALENDAR_QUARTER", 1),
        ("CALENDAR_YEAR", 2024),
        ("DAY_IN_MONTH", 30),
        ("DAY_IN_WEEK", 7),
        ("DAY_IN_YEAR", 90),
        ("FISCAL_MONTH", 2),
        ("FISCAL_QUARTER", 1),
        ("FISCAL_YEAR", 2025),
        ("WEEK_IN_MONTH", 5),
        ("WEEK_IN_YEAR", 13),
    ],
)
@pytest.mark.parametrize("field", ["On__c", "At__c"])
def test_parts_of_dates(dated, client_of, function: str, field: str, value: int) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_date_functions.htm"""
    dated.fiscal_year_start_month = 2
    api = client_of(dated)
    rows = api.records(f"SELECT Name FROM Dated__c WHERE {function}({field}) = {value}")
    assert [row["Name"] for row in rows] == ["a"]
    assert api.records(f"SELECT Name FROM Dated__c WHERE {function}({field}) > {value}") == []
    grouped = api.records(f"SELECT {function}({field}) part, COUNT(Id) n FROM Dated__c GROUP BY {function}({field})")
    assert [(row["part"], row["n"]) for row in grouped if row["part"] is not None] == [(value, 1)]


def test_hours_and_days_of_moments(dated, client_of) -> None:
    api = client_of(dated)
    assert len(api.records("SELECT Id FROM Dated__c WHERE HOUR_IN_DAY(At__c) = 6")) == 1
    assert len(api.records("SELECT Id FROM Dated__c WHERE DAY_ONLY(At__c) = 2024-03-30")) == 1
    (row,) = api.records("SELECT DAY_ONLY(At__c), COUNT(Id) FROM Dated__c WHERE N__c = 1 GROUP BY DAY_ONLY(At__c)")
    assert (row["expr0"], row["expr1"]) == ("2024-03-30", 1)


def test_the_users_time_zone(dated, client_of) -> None:
    dated.time_zone = "America/Los_Angeles"
    api = client_of(dated)
    assert len(api.records("SELECT Id FROM Dated__c WHERE HOUR_IN_DAY(convertTimezone(At__c)) = 23")) == 1
    assert len(api.records("SELECT Id FROM Dated__c WHERE DAY_ONLY(convertTimezone(At__c)) = 2024-03-29")) == 1
    assert len(api.records("SELECT Id FROM Dated__c WHERE DAY_ONLY(At__c) = 2024-03-30")) == 1


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT CALENDAR_YEAR(At__c), N__c FROM Dated__c",
        "SELECT convertTimezone(At__c) FROM Dated__c",
        "SELECT Id FROM Dated__c WHERE HOUR_IN_DAY(On__c) = 1",
        "SELECT Id FROM Dated__c WHERE CALENDAR_YEAR(Name) = 1",
        "SELECT Id FROM Dated__c WHERE CALENDAR_YEAR(convertTimezone(On__c)) = 1",
        "SELECT Id FROM Dated__c WHERE CALENDAR_YEAR(At__c) = THIS_YEAR",
        "SELECT Id FROM Dated__c WHERE CALENDAR_YEAR() = 1",
        "SELECT CALENDAR_YEAR(At__c) y, COUNT(Id) FROM Dated__c GROUP BY CALENDAR_MONTH(At__c)",
    ],
)
def test_wrong_uses_of_date_functions(dated, client_of, refusal, soql: str) -> None:
    assert refusal(client_of(dated).query(soql)) == (400, "MALFORMED_QUERY")


def test_a_grouped_date_is_enough_for_its_functions(dated, client_of) -> None:
    rows = client_of(dated).records("SELECT CALENDAR_YEAR(On__c) y FROM Dated__c WHERE N__c = 1 GROUP BY On__c")
    assert [row["y"] for row in rows] == [2024]


@pytest.fixture
def cases(org: SimulatedOrg) -> SimulatedOrg:
    account = org.insert("Account", [{"Name": "Parent", "Industry": "Energy", "AnnualRevenue": "1234567.891"}])[0]
    org.insert("Case", [{"Subject": "s", "Status": "Working", "AccountId": account}])
    return org


def test_labels(cases, client_of) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_tolabel.htm"""
    api = client_of(cases)
    (record,) = api.records("SELECT Id, toLabel(Status) FROM Case")
    assert record["Status"] == "In Arbeit"
    (record,) = api.records("SELECT Id, Status, toLabel(Status) st FROM Case")
    assert (record["Status"], record["st"]) == ("Working", "In Arbeit")
    assert len(api.records("SELECT Id FROM Case WHERE toLabel(Status) = 'in arbeit'")) == 1
    (record,) = api.records("SELECT toLabel(Account.Industry) FROM Case")
    assert record["Account"]["Industry"] == "Energy"


def test_labels_of_several_values(org: SimulatedOrg, api) -> None:
    values = ("n", "s")
    field = Field("M__c", "multipicklist", picklist_values=values, picklist_labels={"n": "North", "s": "South"})
    org.define_object("Many__c", [field])
    org.insert("Many__c", [{"M__c": "n;s"}])
    assert api.records("SELECT toLabel(M__c) FROM Many__c")[0]["M__c"] == "North;South"


@pytest.mark.parametrize("soql", ["SELECT Id, toLabel(Status) st FROM Case", "SELECT toLabel(Status) FROM Case"])
def test_functions_over_bulk_have_the_same_names(cases, client_of, soql: str) -> None:
    api = client_of(cases)
    job = api.finished_job(soql)
    (row,) = csv.DictReader(io.StringIO(api.get(f"jobs/query/{job}/results").text))
    key = "st" if " st " in soql else "Status"
    assert row[key] == "In Arbeit"


def test_formats_and_currencies(cases, client_of) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_format.htm"""
    cases.add_field("Account", Field("CurrencyIsoCode", "picklist"))
    cases.insert("Account", [{"Name": "Yen", "CurrencyIsoCode": "JPY", "AnnualRevenue": 1500}])
    (record,) = client_of(cases).records(
        "SELECT AnnualRevenue, FORMAT(AnnualRevenue) Amt, convertCurrency(AnnualRevenue) converted, "
        "FORMAT(convertCurrency(AnnualRevenue)) shown, FORMAT(CreatedDate) made FROM Account WHERE Name = 'Yen'"
    )
    assert (record["AnnualRevenue"], record["Amt"]) == (1500.0, "JPY 1,500.00")
    assert (record["converted"], record["shown"]) == (10.0, "USD 10.00")
    assert record["made"].endswith(("AM", "PM"))


def test_currency_literals(cases, client_of, refusal) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_querying_currency_fields.htm"""
    cases.add_field("Account", Field("CurrencyIsoCode", "picklist"))
    cases.insert("Account", [{"Name": "Yen", "CurrencyIsoCode": "JPY", "AnnualRevenue": 1500}])
    api = client_of(cases)
    named = "SELECT Name FROM Account WHERE Name IN ('Yen', 'Parent') AND AnnualRevenue"
    assert [record["Name"] for record in api.records(f"{named} > USD5000")] == ["Parent"]
    assert [record["Name"] for record in api.records(f"{named} < USD10.5")] == ["Yen"]
    assert [record["Name"] for record in api.records(f"{named} = jpy1500")] == ["Yen"]
    assert refusal(api.query(f"{named} > XYZ5")) == (400, "MALFORMED_QUERY")
    assert refusal(api.query("SELECT Id FROM Account WHERE NumberOfEmployees > USD5")) == (400, "INVALID_FIELD")


def test_formats_of_aggregates(cases, client_of) -> None:
    (record,) = client_of(cases).records("SELECT FORMAT(MAX(AnnualRevenue)) top FROM Account WHERE Name = 'Parent'")
    assert record == {"attributes": {"type": "AggregateResult"}, "top": "USD 1,234,567.89"}


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Name n FROM Account",
        "SELECT toLabel(Name) FROM Account",
        "SELECT FORMAT(Name) FROM Account",
        "SELECT convertCurrency(NumberOfEmployees) FROM Account",
        "SELECT Industry, toLabel(Industry) FROM Account",
        "SELECT Id FROM Account WHERE convertCurrency(AnnualRevenue) > 5",
        "SELECT Id FROM Account WHERE FORMAT(AnnualRevenue) = '5'",
        "SELECT toLabel() FROM Account",
    ],
)
def test_wrong_uses_of_functions(api, refusal, soql: str) -> None:
    assert refusal(api.query(soql)) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi') < 5",
        "SELECT Whatever(Name) FROM Account",
        "SELECT Id FROM Account ORDER BY DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi')",
    ],
)
def test_functions_that_are_not_here(api, refusal, soql: str) -> None:
    assert refusal(api.query(soql)) == (400, "NOT_IN_SIMULATOR")
