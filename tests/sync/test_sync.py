"""A sync of many objects: what is new since the last run, in one process, each object with a chain of its own."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.sync.syncs import Syncs, task


def test_the_next_run_extracts_only_what_is_new(syncs: Syncs) -> None:
    first = syncs.run()
    assert {each.sobject: each.records for each in first.outcomes} == {"Account": 25, "Contact": 30, "Case": 0}
    syncs.change("Account", 5)
    second = syncs.run()
    assert {each.sobject: each.records for each in second.outcomes} == {"Account": 5, "Contact": 0, "Case": 0}


def test_receipts_are_a_chain_without_gaps(syncs: Syncs) -> None:
    for _ in range(3):
        syncs.run()
        syncs.change("Account", 1)
    chain = syncs.chain("Account")
    assert [each["sequence"] for each in chain] == [1, 2, 3]
    assert [each["window"][0] for each in chain[1:]] == [each["window"][1] for each in chain[:-1]]
    assert chain[0]["previous"] is None
    for before, after in pairwise(chain):
        text = (syncs.root / "Account" / after["previous"]["receipt"]).read_text()
        assert json.loads(text) == before
        assert after["previous"]["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    state = syncs.state("Account")
    assert (state["sequence"], state["reached"]) == (3, chain[-1]["window"][1])


def test_a_quiet_object_costs_one_query(syncs: Syncs) -> None:
    syncs.run()
    syncs.change("Account", 1)
    calls = syncs.calls(syncs.run)
    assert sorted(path.rpartition("/")[2] for path in calls) == ["queryAll"] * 3 + ["sobjects"]


def test_one_failing_object_does_not_stop_the_others(org: SimulatedOrg, syncs: Syncs) -> None:
    org.add_fault(Fault(path="*/sobjects/Contact/describe", status=500, times=None))
    error = syncs.failing(of=task())
    assert list(error.failed) == ["Contact"]
    assert error.retryable
    assert (len(syncs.chain("Account")), len(syncs.chain("Contact")), len(syncs.chain("Case"))) == (1, 0, 1)
    org.clear_faults()
    calls = syncs.calls(lambda: syncs.run(of=task()))
    assert {path.rpartition("/")[2] for path in calls} == {"describe", "queryAll"}
    assert len(calls) == 2
    assert len(syncs.chain("Contact")) == 1


def test_a_state_that_was_not_written_is_rolled_forward(syncs: Syncs) -> None:
    syncs.run()
    before = (syncs.root / "Account" / "_state.json").read_text()
    syncs.change("Account", 3)
    syncs.run()
    (syncs.root / "Account" / "_state.json").write_text(before)  # the process ended between receipt and state
    syncs.change("Account", 4)
    report = syncs.run()
    assert {each.sobject: each.records for each in report.outcomes}["Account"] == 4
    assert [each["sequence"] for each in syncs.chain("Account")] == [1, 2, 3]


def test_a_lost_state_is_found_again_in_the_receipts(syncs: Syncs) -> None:
    for rows in (1, 2):
        syncs.run()
        syncs.change("Account", rows)
    state = syncs.root / "Account" / "_state.json"
    state.unlink()
    assert syncs.run(["Account"]).records == 2


def test_the_summary_lists_every_object(syncs: Syncs, tmp_path: Path) -> None:
    report = syncs.run()
    summary = json.loads(Path(report.summary.removeprefix("file://")).read_text())
    assert (summary["objects"], summary["published"], summary["failed"], summary["records"]) == (3, 3, 0, 55)
    assert not (syncs.root / "_lease.json").exists()
