"""Fields that come, go, are hidden, opened and retyped between two runs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.sync.applied import applied, in_org
from tests.sync.syncs import Syncs

PARCEL = ["Parcel__c"]


@pytest.fixture
def parcels(org: SimulatedOrg, syncs: Syncs) -> list[str]:
    """Ids of parcels that a first run has extracted."""
    org.define_object("Parcel__c", [Field("Key__c"), Field("Weight__c", "double", precision=18, scale=2)])
    made = org.insert("Parcel__c", [{"Key__c": f"k{number}", "Weight__c": number} for number in range(5)])
    org.clock_offset += 2
    syncs.run(PARCEL)
    return made


def columns(syncs: Syncs) -> list[str]:
    return [each["name"] for each in syncs.chain("Parcel__c")[-1]["columns"]]


def set_quietly(org: SimulatedOrg, record: str, **values: Any) -> None:
    """Give a record values that no SystemModstamp shows."""
    stamps = next(row for row in org.rows("Parcel__c") if row["Id"] == record)
    kept = {name: stamps[name] for name in ("SystemModstamp", "LastModifiedDate")}
    org.update("Parcel__c", record, values | kept)


def test_a_new_field_is_backfilled_for_the_rows_that_have_a_value(
    org: SimulatedOrg, syncs: Syncs, parcels: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    org.add_field("Parcel__c", Field("New__c"))
    set_quietly(org, parcels[1], New__c="old row, new value")
    org.clock_offset += 2
    org.update("Parcel__c", parcels[3], {"Key__c": "changed"})
    org.clock_offset += 2

    report = syncs.run(PARCEL)

    last = syncs.chain("Parcel__c")[-1]
    assert (last["records"], last["backfilled"], last["drift"]["added"]) == (2, ["New__c"], ["New__c"])
    assert report.outcomes[0].drift == {"added": ["New__c"], "removed": [], "retyped": []}
    assert "rows that were extracted before come again for New__c" in caplog.text
    assert applied(syncs.root, "Parcel__c") == in_org(org, "Parcel__c")
    org.clock_offset += 2
    assert syncs.run(PARCEL).records == 0
    assert "backfilled" not in syncs.chain("Parcel__c")[-1]


def test_a_new_checkbox_is_backfilled_in_every_row(org: SimulatedOrg, syncs: Syncs, parcels: list[str]) -> None:
    org.add_field("Parcel__c", Field("Sent__c", "boolean"))
    org.clock_offset += 2
    assert syncs.run(PARCEL).records == len(parcels)
    assert applied(syncs.root, "Parcel__c") == in_org(org, "Parcel__c")


def test_a_field_that_was_hidden_comes_back_for_every_row(org: SimulatedOrg, syncs: Syncs, parcels: list[str]) -> None:
    org.hide_field("Parcel__c", "Key__c")
    org.clock_offset += 2
    org.update("Parcel__c", parcels[0], {"Weight__c": 7})
    org.clock_offset += 2
    report = syncs.run(PARCEL)
    assert report.outcomes[0].drift == {"added": [], "removed": ["Key__c"], "retyped": []}
    assert "Key__c" not in columns(syncs)

    org.show_field("Parcel__c", "Key__c")
    for record in parcels[:2]:
        set_quietly(org, record, Key__c=None)  # it lost its value while nobody could see it
    org.clock_offset += 2
    syncs.run(PARCEL)
    assert applied(syncs.root, "Parcel__c") == in_org(org, "Parcel__c")
    *_, last = read_sync(syncs.root, "Parcel__c")
    assert sorted(last.rows(["Id"]).read_all()["Id"].to_pylist()) == sorted(parcels)


def test_a_field_that_is_dropped_during_a_run_is_described_again(
    org: SimulatedOrg, syncs: Syncs, parcels: list[str]
) -> None:
    org.clock_offset += 100
    syncs.run(PARCEL)  # from here on no description is asked for
    kept = (syncs.root / "_describe" / "_objects.json").read_text()
    org.drop_field("Parcel__c", "Key__c")
    org.update("Parcel__c", parcels[0], {"Weight__c": 8})
    org.clock_offset += 2
    calls = syncs.calls(lambda: syncs.run(PARCEL))
    assert [path.rpartition("/")[2] for path in calls] == ["sobjects", "describe", "queryAll"]
    assert kept
    assert "Key__c" not in columns(syncs)


def test_a_refused_field_lets_the_object_be_described_again(
    org: SimulatedOrg, syncs: Syncs, parcels: list[str]
) -> None:
    org.clock_offset += 100
    syncs.run(PARCEL)
    refusal = b'[{"errorCode":"INVALID_FIELD","message":"No such column"}]'
    org.add_fault(Fault(path="*/queryAll*", status=400, body=refusal))
    org.clock_offset += 2
    steps = [path.rpartition("/")[2] for path in syncs.calls(lambda: syncs.run(PARCEL))]
    assert steps == ["sobjects", "queryAll", "describe", "queryAll"]
    org.add_fault(Fault(path="*/queryAll*", status=400, body=refusal, times=None))
    org.clock_offset += 2
    assert "INVALID_FIELD" in syncs.failing(PARCEL).failed["Parcel__c"]


def test_ignore_keeps_the_columns_of_the_chain(org: SimulatedOrg, syncs: Syncs, parcels: list[str]) -> None:
    before = columns(syncs)
    org.add_field("Parcel__c", Field("New__c"))
    org.clock_offset += 2
    report = syncs.run(PARCEL, on_schema_change="ignore")
    assert (columns(syncs), report.records, report.outcomes[0].drift) == (before, 0, None)


def test_fail_names_the_fields_and_what_to_do(org: SimulatedOrg, syncs: Syncs, parcels: list[str]) -> None:
    org.add_field("Parcel__c", Field("New__c"))
    org.drop_field("Parcel__c", "Key__c")
    org.clock_offset += 2
    error = syncs.failing(PARCEL, on_schema_change="fail")
    assert "(added: New__c; removed: Key__c), and on_schema_change is 'fail'" in error.failed["Parcel__c"]
    assert "sync reset" in error.failed["Parcel__c"]
    syncs.run(PARCEL)
    org.clock_offset += 2
    syncs.run(PARCEL, on_schema_change="fail")


@pytest.mark.parametrize("policy", ["evolve", "fail"])
def test_a_field_of_another_type_fails_the_object(
    org: SimulatedOrg, syncs: Syncs, parcels: list[str], policy: str
) -> None:
    org.retype_field("Parcel__c", Field("Weight__c"))
    org.clock_offset += 2
    error = syncs.failing(["Account", *PARCEL], on_schema_change=policy)
    assert "Weight__c has another type than in the chain" in error.failed["Parcel__c"]
    assert list(error.failed) == PARCEL


def test_by_description_numbers_of_another_precision_are_of_another_type(org: SimulatedOrg, syncs: Syncs) -> None:
    org.define_object("Crate__c", [Field("Weight__c", "double", precision=10, scale=2)])
    syncs.run(["Crate__c"], numbers="described")
    org.retype_field("Crate__c", Field("Weight__c", "double", precision=12, scale=2))
    org.clock_offset += 2
    error = syncs.failing(["Crate__c"], numbers="described")
    assert "Weight__c has another type than in the chain" in error.failed["Crate__c"]


def test_a_field_of_a_like_type_is_reported(org: SimulatedOrg, syncs: Syncs, parcels: list[str]) -> None:
    org.retype_field("Parcel__c", Field("Key__c", "picklist", picklist_values=("k1",)))
    org.clock_offset += 2
    syncs.run(PARCEL)
    assert applied(syncs.root, "Parcel__c") == in_org(org, "Parcel__c")


def test_named_fields_come_with_what_readers_need(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account"], overrides={"Account": {"fields": ["Name"]}})
    (receipt,) = read_sync(syncs.root, "account")
    assert [each["name"] for each in receipt.receipt.columns] == ["Id", "IsDeleted", "SystemModstamp", "Name"]
