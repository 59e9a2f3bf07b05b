"""Deleted records: recycle bin, purges, undeletes, merges, and what Salesforce no longer knows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_sfjwt.extract.route import RestLimits
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.sync.state import States
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.sync.applied import applied, in_org
from tests.sync.syncs import Syncs

#: The org's clock goes on so far that all is covered that happened before: its replication counts whole minutes.
LATER = 125


def ids(org: SimulatedOrg, sobject: str = "Account") -> list[str]:
    return [str(row["Id"]) for row in org.rows(sobject)]


def test_a_row_in_the_recycle_bin_leaves_and_an_undeleted_one_comes_back(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account"])
    gone, back = ids(org)[:2]
    org.clock_offset += 2
    org.delete("Account", gone)
    org.delete("Account", back)
    org.clock_offset += 2
    syncs.run(["Account"])
    *_, last = read_sync(syncs.root, "Account")
    assert sorted(last.deleted_ids()) == sorted([gone, back])
    assert last.rows().read_all().num_rows == 0
    assert last.receipt.deletes is not None and last.receipt.deletes["source"] == "recycle_bin"

    org.undelete("Account", back)
    org.clock_offset += 2
    syncs.run(["Account"])
    assert applied(syncs.root, "Account") == in_org(org, "Account")
    assert gone not in applied(syncs.root, "Account")


def test_a_merged_record_names_its_master(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account", "Contact"])
    master, loser = ids(org)[:2]
    org.clock_offset += 2
    org.merge("Account", master, [loser])
    org.clock_offset += 2
    syncs.run(["Account", "Contact"])
    *_, last = read_sync(syncs.root, "Account")
    rows = {row["Id"]: row for row in last.rows(include_deleted=True).read_all().to_pylist()}
    assert rows[loser]["MasterRecordId"] == master
    for sobject in ("Account", "Contact"):
        assert applied(syncs.root, sobject) == in_org(org, sobject)


@pytest.mark.parametrize("deletes", ["replicated", "ids"])
def test_a_purged_record_leaves(org: SimulatedOrg, syncs: Syncs, deletes: str) -> None:
    asked: dict[str, Any] = {"deletes": deletes, "deletes_every": 1}
    syncs.run(["Account"], **asked)
    purged, stays = ids(org)[:2]
    org.delete("Account", purged)
    org.purge("Account", purged)
    org.clock_offset += LATER
    syncs.run(["Account"], **asked)
    *_, last = read_sync(syncs.root, "Account")
    assert last.deleted_ids() == [purged]
    entry = last.receipt.deletes or {}
    assert (entry["source"], entry["records"], entry["gap"]) == (deletes, 1, False)
    (part,) = last.receipt.deleted_parts
    assert part.name.startswith("deleted-") and part.records == 1
    assert applied(syncs.root, "Account") == in_org(org, "Account")
    assert stays in applied(syncs.root, "Account")


def test_purged_records_are_looked_for_in_a_rhythm_of_their_own(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account"], deletes="replicated", deletes_every=100)
    org.clock_offset += 30
    assert not [path for path in syncs.calls(lambda: syncs.run(["Account"], deletes="replicated")) if "deleted" in path]
    org.clock_offset += LATER
    calls = syncs.calls(lambda: syncs.run(["Account"], deletes="replicated", deletes_every=100))
    assert [path for path in calls if path.endswith("/deleted/")]
    assert syncs.state("Account")["deletes_reached"] > syncs.chain("Account")[0]["window"][1]


def test_what_a_running_transaction_deletes_is_found_by_the_next_look(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    record = ids(org)[0]
    began = org.in_flight_since = org.now()
    org.clock_offset += LATER
    syncs.run(["Account"], **asked)
    assert syncs.state("Account")["deletes_reached"] < began.isoformat()
    org.delete("Account", record, when=began)
    org.purge("Account", record)
    org.in_flight_since = None
    org.clock_offset += 2
    syncs.run(["Account"], **asked)
    assert record not in applied(syncs.root, "Account")


def test_a_deletion_of_which_a_later_state_is_known_does_not_win(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    back = ids(org)[0]
    org.delete("Account", back)
    deleted_at = org.now()
    org.clock_offset += LATER
    org.undelete("Account", back)
    listed = {"id": back, "deletedDate": f"{deleted_at:%Y-%m-%dT%H:%M:%S}.000+0000"}
    answer = Fault(
        path="*/deleted/*", edit_json=lambda found: {**found, "deletedRecords": [*found["deletedRecords"], listed]}
    )
    org.add_fault(answer)
    org.clock_offset += 2
    syncs.run(["Account"], **asked)
    *_, last = read_sync(syncs.root, "Account")
    assert last.deleted_ids() == [back]
    assert applied(syncs.root, "Account") == in_org(org, "Account")
    assert back in applied(syncs.root, "Account")


@pytest.mark.parametrize("deletes", ["recycle_bin", "replicated"])
def test_after_15_days_all_ids_are_compared(org: SimulatedOrg, syncs: Syncs, deletes: str) -> None:
    syncs.run(["Account"], deletes=deletes)
    state = syncs.root / "Account" / "_state.json"
    content = json.loads(state.read_text())
    long_ago = (org.now() - timedelta(days=16)).isoformat()
    state.write_text(json.dumps(content | {"deletes_reached": long_ago}))
    purged = ids(org)[0]
    org.delete("Account", purged)
    org.purge("Account", purged)
    org.clock_offset += 2
    syncs.run(["Account"], deletes=deletes)
    entry = syncs.chain("Account")[-1]["deletes"]
    assert (entry["source"], entry["gap"], entry["records"]) == ("ids", True, 1)
    assert applied(syncs.root, "Account") == in_org(org, "Account")


def test_a_purged_delete_log_is_a_gap(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    purged = ids(org)[0]
    org.delete("Account", purged)
    org.purge("Account", purged)
    org.clock_offset += LATER
    org.trim_delete_log()
    syncs.run(["Account"], **asked)
    entry = syncs.chain("Account")[-1]["deletes"]
    assert (entry["source"], entry["gap"], entry["records"]) == ("ids", True, 1)
    assert applied(syncs.root, "Account") == in_org(org, "Account")


def test_a_log_that_begins_after_the_last_look_is_a_gap(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    org.clock_offset += LATER
    available = f"{org.now():%Y-%m-%dT%H:%M}:00.000+0000"
    org.add_fault(Fault(path="*/deleted/*", edit_json=lambda found: {**found, "earliestDateAvailable": available}))
    syncs.run(["Account"], **asked)
    entry = syncs.chain("Account")[-1]["deletes"]
    assert (entry["source"], entry["gap"], entry["records"]) == ("ids", True, 0)


def test_a_log_that_the_user_may_not_read_fails_the_object_by_name(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    org.clock_offset += LATER
    refusal = b'[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'
    org.add_fault(Fault(path="*/deleted/*", status=403, body=refusal))
    error = syncs.failing(["Account", "Contact"], **asked)
    assert list(error.failed) == ["Account"] and "INSUFFICIENT_ACCESS" in error.failed["Account"]


def test_no_look_is_shorter_than_salesforce_takes(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Account"], **asked)
    org.clock_offset += 90
    calls = syncs.calls(lambda: syncs.run(["Account"], **asked))
    assert [path.rpartition("/")[2] for path in calls] == ["sobjects", "queryAll"]
    assert syncs.chain("Account")[-1]["deletes"]["covered_until"] is None


def test_more_ids_than_salesforce_gives_are_asked_for_in_shorter_spans(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    org.clock_offset = -580
    for record in (purged := ids(org)[:6]):
        org.update("Account", record, {"SystemModstamp": org.now() - timedelta(hours=1)})
    syncs.run(["Account"], **asked)
    for step, record in enumerate(purged):
        org.clock_offset = -570 + 100 * step
        org.delete("Account", record)
        org.purge("Account", record)
    org.clock_offset = 120
    org.replicated_ids = 3
    calls = syncs.calls(lambda: syncs.run(["Account"], **asked))
    assert len([path for path in calls if path.endswith("/deleted/")]) > 2
    assert syncs.chain("Account")[-1]["deletes"]["source"] == "replicated"
    assert applied(syncs.root, "Account") == in_org(org, "Account")


def test_an_object_that_is_not_replicateable_has_its_ids_compared(org: SimulatedOrg, syncs: Syncs) -> None:
    org.define_object("Quiet__c", [Field("Key__c")], replicateable=False)
    made = org.insert("Quiet__c", [{"Key__c": str(number)} for number in range(4)])
    org.clock_offset += 2
    asked: dict[str, Any] = {"deletes": "replicated", "deletes_every": 1}
    syncs.run(["Quiet__c"], **asked)
    org.delete("Quiet__c", made[0])
    org.purge("Quiet__c", made[0])
    org.clock_offset += LATER
    syncs.run(["Quiet__c"], **asked)
    assert syncs.chain("Quiet__c")[-1]["deletes"]["source"] == "ids"
    assert applied(syncs.root, "Quiet__c") == in_org(org, "Quiet__c")


def test_deletions_that_nobody_wants_are_not_looked_for(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account"], deletes=None)
    assert syncs.chain("Account")[0]["deletes"] is None
    org.clock_offset += 2
    org.delete("Account", ids(org)[0])
    org.clock_offset += 2
    calls = syncs.calls(lambda: syncs.run(["Account"], deletes=None))
    assert [path.rpartition("/")[2] for path in calls] == ["sobjects", "query"]
    assert len(applied(syncs.root, "Account")) == 25


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_other_formats_list_deletions_too(org: SimulatedOrg, syncs: Syncs, file_format: str) -> None:
    asked: dict[str, Any] = {"deletes": "ids", "deletes_every": 1, "file_format": file_format, "compression": "gzip"}
    syncs.run(["Account"], **asked)
    purged = ids(org)[0]
    org.delete("Account", purged)
    org.purge("Account", purged)
    org.clock_offset += 2
    syncs.run(["Account"], **asked)
    *_, last = read_sync(syncs.root, "Account")
    assert last.deleted_ids() == [purged]
    assert applied(syncs.root, "Account") == in_org(org, "Account")


def test_after_a_reset_all_ids_are_compared(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run(["Account"])
    purged = ids(org)[0]
    org.delete("Account", purged)
    org.purge("Account", purged)
    states = States(SyncRoot(f"file://{syncs.root}"), RestLimits())
    state = states.recorded("Account")
    assert state is not None
    states.write(state.from_the_beginning())
    org.clock_offset += 2
    syncs.run(["Account"])
    last = syncs.chain("Account")[-1]
    assert (last["records"], last["deletes"]["source"], last["deletes"]["gap"]) == (24, "ids", True)
    assert applied(syncs.root, "Account") == in_org(org, "Account")


def test_a_row_that_left_the_condition_is_found_missing(org: SimulatedOrg, syncs: Syncs) -> None:
    asked: dict[str, Any] = {
        "deletes": "ids",
        "deletes_every": 1,
        "overrides": {"Account": {"where": "Name != 'gone'"}},
    }
    syncs.run(["Account"], **asked)
    record = ids(org)[0]
    org.clock_offset += 2
    org.update("Account", record, {"Name": "gone"})
    org.clock_offset += 2
    syncs.run(["Account"], **asked)
    assert record not in applied(syncs.root, "Account")
