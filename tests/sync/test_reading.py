"""Reading what a sync published."""

from __future__ import annotations

import json

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.sync.applied import applied, in_org
from tests.sync.syncs import Syncs


def test_receipts_come_by_object_and_in_order(syncs: Syncs) -> None:
    for _ in range(3):
        syncs.run()
        syncs.change("Account", 2)
    found = [(each.sobject, each.receipt.sequence) for each in read_sync(f"file://{syncs.root}")]
    assert found == [(name, number) for name in ("Account", "Case", "Contact") for number in (1, 2, 3)]
    first, second, third = read_sync(syncs.root, "account")
    assert first.rows().read_all().num_rows == 25
    assert third.rows(["Name", "Id"]).schema.names == ["Name", "Id"]
    assert second.receipt.previous == {
        "receipt": f"{first.path.rpartition('/')[2]}/_receipt.json",
        "sha256": first.sha256,
    }
    assert (second.deleted_ids(), second.deletions().num_rows, second.replaces_all) == ([], 0, False)


def test_folders_of_broken_runs_are_not_read(syncs: Syncs) -> None:
    syncs.run(["Account"])
    (syncs.root / "Account" / "w=00000002_19990101T000000Z_20991231T000000Z_deadbeef").mkdir()
    assert len(list(read_sync(syncs.root))) == 1


def test_a_receipt_that_was_changed_is_named(syncs: Syncs) -> None:
    syncs.run(["Account"])
    syncs.change("Account", 1)
    syncs.run(["Account"])
    first = next(iter(sorted((syncs.root / "Account").glob("w=00000001*/_receipt.json"))))
    first.write_text(json.dumps(json.loads(first.read_text()) | {"records": 24}))
    with pytest.raises(ConfigurationError, match=r"w=00000001.*is not the receipt that the chain of Account names"):
        list(read_sync(syncs.root))


def test_names_that_are_not_there_are_named(syncs: Syncs) -> None:
    syncs.run(["Account"])
    with pytest.raises(ConfigurationError, match="holds nothing of Lead; it has Account"):
        next(read_sync(syncs.root, "Lead"))
    (only,) = read_sync(syncs.root)
    with pytest.raises(ConfigurationError, match="has no column Nothing; it has Id, "):
        only.rows(["Nothing"])


def test_an_object_without_a_cursor_is_replaced_each_time(org: SimulatedOrg, syncs: Syncs) -> None:
    org.define_object("Plain__c", [Field("Key__c")])
    gone, *_ = org.insert("Plain__c", [{"Key__c": "a"}, {"Key__c": "b"}])
    for field in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        org.hide_field("Plain__c", field)
    syncs.run(["Plain__c"])
    assert set(applied(syncs.root, "Plain__c")) == set(in_org(org, "Plain__c"))
    org.delete("Plain__c", gone)
    org.clock_offset += 2
    syncs.run(["Plain__c"])
    (last,) = read_sync(syncs.root, "Plain__c")
    assert (last.replaces_all, last.receipt.sequence, last.receipt.deletes) == (True, 2, None)
    assert list(applied(syncs.root, "Plain__c")) == list(in_org(org, "Plain__c")) != [gone]
