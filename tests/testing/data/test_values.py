"""Values of every type: what is kept of them, and how they are printed over REST and Bulk API 2.0."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg

TYPES = [
    Field("Any__c", "anyType"),
    Field("Combo__c", "combobox", picklist_values=("Call", "Email")),
    Field("Secret__c", "encryptedstring"),
    Field("Long__c", "long"),
    Field("Json__c", "json"),
    Field("Place__c", "location"),
]


@pytest.fixture
def typed(org: SimulatedOrg) -> SimulatedOrg:
    org.define_object("Typed__c", TYPES)
    return org


def test_rarer_types_over_rest_and_bulk(typed: SimulatedOrg, api) -> None:
    values = {"Any__c": "NA", "Combo__c": "Other", "Secret__c": "s3", "Long__c": 2**53 + 1, "Json__c": '{"a":"b"}'}
    typed.insert("Typed__c", [values | {"Place__Latitude__s": 47.5, "Place__Longitude__s": "-8.25"}])
    (record,) = api.records("SELECT Any__c, Combo__c, Secret__c, Long__c, Json__c, Place__c FROM Typed__c")
    assert record.pop("attributes")["type"] == "Typed__c"
    assert record == values | {"Place__c": {"latitude": 47.5, "longitude": -8.25}}
    job = api.finished_job("SELECT Any__c, Combo__c, Secret__c, Long__c, Json__c, Place__Latitude__s FROM Typed__c")
    text = api.get(f"jobs/query/{job}/results").text
    assert text.splitlines()[1] == '"NA","Other","s3","9007199254740993","{""a"":""b""}","47.5"'


def test_each_anytype_value_has_its_own_type(typed: SimulatedOrg, api) -> None:
    moment = datetime(2024, 9, 9, 13, 8, 34, tzinfo=timezone.utc)
    written = ["text", True, 12, Decimal("1.50"), moment, date(2024, 2, 29), None]
    typed.insert("Typed__c", [{"Any__c": value} for value in written])
    over_rest = [record["Any__c"] for record in api.records("SELECT Any__c FROM Typed__c")]
    assert over_rest == ["text", True, 12, 1.5, "2024-09-09T13:08:34.000+0000", "2024-02-29", None]
    job = api.finished_job("SELECT Any__c FROM Typed__c")
    cells = api.get(f"jobs/query/{job}/results").text.splitlines()[1:]
    assert cells == ['"text"', '"true"', '"12"', '"1.5"', '"2024-09-09T13:08:34.000Z"', '"2024-02-29"', '""']
    assert [row["Any__c"] for row in typed.rows("Typed__c")][:5] == written[:5]


def test_rarer_types_are_described(typed: SimulatedOrg, api) -> None:
    described = {field["name"]: field for field in api.get("sobjects/Typed__c/describe").json()["fields"]}
    assert [described[field.name]["type"] for field in TYPES] == [field.type for field in TYPES]
    assert described["Place__Latitude__s"]["compoundFieldName"] == "Place__c"
    assert described["Place__Latitude__s"]["custom"] is True
    assert described["Long__c"]["soapType"] == "xsd:long"


@pytest.mark.parametrize("name", ["Any__c", "Secret__c", "Json__c", "Place__c"])
def test_some_types_are_not_filtered(typed: SimulatedOrg, api, refusal, name: str) -> None:
    assert refusal(api.query(f"SELECT Id FROM Typed__c WHERE {name} = 'x'")) == (400, "INVALID_FIELD")


def test_a_geolocation_is_a_compound_that_bulk_refuses(typed: SimulatedOrg, api, refusal) -> None:
    assert refusal(api.create_job("SELECT Place__c FROM Typed__c")) == (400, "API_ERROR")


@pytest.mark.parametrize("day", ["1699-12-31", "4001-01-01", "9999-12-31", "0001-01-01"])
def test_dates_that_salesforce_does_not_keep(org: SimulatedOrg, api, day: str) -> None:
    """https://help.salesforce.com/s/articleView?id=000383587&type=1"""
    for name, text in (("CustomerSince__c", day), ("LastVisit__c", f"{day}T00:00:00Z")):
        with pytest.raises(ValueError, match="1700-01-01 to 4000-12-31"):
            org.insert("Account", [{"Name": "x", name: text}])
        (error,) = api.refusals("Account", "insert", f"Name,{name}\nx,{text}\n")
        assert error.startswith("FIELD_INTEGRITY_EXCEPTION:")
        assert f"{day[:4]}:{name}" in error
    record = {"attributes": {"type": "Account"}, "Name": "x", "CustomerSince__c": day}
    (result,) = api.call("POST", "composite/sobjects", json={"records": [record]}).json()
    assert result["errors"][0]["statusCode"] == "FIELD_INTEGRITY_EXCEPTION"


@pytest.mark.parametrize("day", ["1700-01-01", "4000-12-31"])
def test_the_first_and_the_last_date(org: SimulatedOrg, api, day: str) -> None:
    assert api.refusals("Account", "insert", f"Name,CustomerSince__c\nedge,{day}\n") == []
    assert org.rows("Account")[-1]["CustomerSince__c"] == date.fromisoformat(day)


def test_a_file_keeps_the_records_of_every_type(tmp_path, client_of) -> None:
    database = str(tmp_path / "org.sqlite")
    with SimulatedOrg(database=database, records={}) as first:
        first.define_object("Typed__c", TYPES)
        first.insert("Typed__c", [{"Any__c": 1.5, "Long__c": 7}])
    with SimulatedOrg(database=database, records={}) as second:
        second.define_object("Typed__c", TYPES)
        assert [(row["Any__c"], row["Long__c"]) for row in second.rows("Typed__c")] == [(Decimal("1.5"), 7)]


def test_a_database_of_another_layout_is_refused(tmp_path) -> None:
    path = tmp_path / "org.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE Account (row INTEGER PRIMARY KEY)")
    connection.close()
    with pytest.raises(ValueError, match="another version"):
        SimulatedOrg(database=str(path))
