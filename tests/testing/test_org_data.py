"""What a test does to the objects and records of the org."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_sfjwt.testing import Field


def test_more_own_objects_than_two_characters_can_name(org):
    made = [org.define_object(f"Own{number}__c", []) for number in range(130)]
    assert len({sobject.key_prefix for sobject in made}) == 130
    ids = [org.insert(sobject.name, [{"Name": "one"}])[0] for sobject in made]
    assert [record[:3] for record in ids] == [sobject.key_prefix for sobject in made]


def test_a_hidden_field_keeps_its_values(org, api):
    (record,) = org.insert("Lead", [{"LastName": "a", "Company": "b", "Title": "Dr."}])
    stamp = next(row["SystemModstamp"] for row in org.rows("Lead") if row["Id"] == record)
    org.hide_field("Lead", "Title")
    assert api.query("SELECT Title FROM Lead").json()[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(KeyError, match="hides no field"):
        org.show_field("Lead", "Company")
    org.show_field("Lead", "title")
    found = next(row for row in org.rows("Lead") if row["Id"] == record)
    assert (found["Title"], found["SystemModstamp"]) == ("Dr.", stamp)


def test_a_dropped_field_comes_back_empty(org):
    org.define_object("Parcel__c", [Field("Key__c", external_id=True, unique=True)])
    org.insert("Parcel__c", [{"Key__c": "a"}])
    org.drop_field("Parcel__c", "Key__c")
    assert "Key__c" not in org.rows("Parcel__c")[0]
    org.add_field("Parcel__c", Field("Key__c"))
    assert org.rows("Parcel__c")[0]["Key__c"] is None
    with pytest.raises(KeyError):
        org.drop_field("Parcel__c", "Nothing__c")


def test_a_new_checkbox_is_false_in_old_records(org, api):
    org.define_object("Parcel__c", [])
    org.insert("Parcel__c", [{"Name": "old"}])
    org.add_field("Parcel__c", Field("Sent__c", "boolean"))
    assert api.records("SELECT Sent__c FROM Parcel__c")[0]["Sent__c"] is False


def test_a_field_of_another_type_keeps_the_values_that_fit(org):
    org.define_object("Parcel__c", [Field("Weight__c")])
    org.insert("Parcel__c", [{"Weight__c": text} for text in ("1.5", "heavy", None)])
    org.retype_field("Parcel__c", Field("Weight__c", "double", precision=18, scale=2))
    assert [row["Weight__c"] for row in org.rows("Parcel__c")] == [Decimal("1.5"), None, None]
    org.retype_field("Parcel__c", Field("Weight__c"))
    assert [row["Weight__c"] for row in org.rows("Parcel__c")] == ["1.5", None, None]
    with pytest.raises(KeyError):
        org.retype_field("Parcel__c", Field("Nothing__c"))
