"""What can be wrong with a sync: each is named with what to do, the others go on, and nothing is lost."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.sync.lease import take_lease
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.sync.syncs import Syncs, task


def refusal(code: str, message: str) -> str:
    return json.dumps([{"errorCode": code, "message": message}])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("*__x", "matches no object that the user may query"),
        ("Acount", "does not exist in the org (did you mean Account?), or the user may not see it"),
    ],
)
def test_a_name_or_pattern_without_an_object(syncs: Syncs, wanted: str, said: str) -> None:
    error = syncs.failing(["Contact", wanted])
    assert list(error.failed) == [wanted]
    assert said in error.failed[wanted]
    assert not error.retryable
    assert len(syncs.chain("Contact")) == 1


def test_an_object_whose_permission_is_taken_away(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run()
    syncs.change("Account", 2)
    body = refusal("INVALID_TYPE", "sObject type 'Contact' is not supported.")
    org.add_fault(Fault(path="*FROM+Contact*", status=400, body=body, times=None))
    error = syncs.failing(["*"], exclude=["[!ac]*"])
    assert list(error.failed) == ["Contact"]
    assert "permission sets may read it" in error.failed["Contact"]
    assert len(syncs.chain("Account")) == 2
    org.clear_faults()
    assert syncs.run().records == 0
    assert [each["window"][0] for each in syncs.chain("Contact")][1] == syncs.chain("Contact")[0]["window"][1]


def test_an_object_that_salesforce_refuses_is_learned_and_told(org: SimulatedOrg, syncs: Syncs) -> None:
    message = "Implementation restriction: Contact requires a filter by a single Id"
    org.add_fault(Fault(path="*FROM+Contact*", status=400, body=refusal("MALFORMED_QUERY", message), times=None))
    report = syncs.run(["Con*", "Account"])
    assert list(report.refused) == ["Contact"]
    assert message in report.refused["Contact"]
    assert report.failed == {}
    syncs.change("Account", 1)
    calls = syncs.calls(lambda: syncs.run(["Con*", "Account"]))
    assert sum(path.endswith("/queryAll") for path in calls) == 1  # of Account
    error = syncs.failing(["Contact"])  # whoever names it wants it
    assert message in error.failed["Contact"]


def test_a_condition_that_was_changed(syncs: Syncs) -> None:
    syncs.run(["Account", "Contact"])
    syncs.change("Account", 1)
    error = syncs.failing(["Account", "Contact"], overrides={"account": {"where": "Name != 'x'"}})
    assert list(error.failed) == ["Account"]
    assert f"sync reset file://{syncs.root} --sobject Account" in error.failed["Account"]
    assert syncs.run(["Account"]).records == 1  # taken back


def test_a_root_of_another_org(syncs: Syncs) -> None:
    syncs.run()
    mark = syncs.root / "_sync.json"
    mark.write_text(mark.read_text().replace("00D5e", "00D9z"))
    with pytest.raises(ConfigurationError, match=r"synced from org 00D9z.*leads to org 00D5e.*a root of its own"):
        syncs.run()


def test_a_state_that_another_program_wrote(syncs: Syncs) -> None:
    syncs.run()
    (syncs.root / "Contact" / "_state.json").write_text("{}")
    syncs.change("Account", 1)
    error = syncs.failing()
    assert list(error.failed) == ["Contact"]
    assert "was not written by this release" in error.failed["Contact"]
    assert len(syncs.chain("Account")) == 2


def test_a_lease_that_a_killed_run_left(syncs: Syncs) -> None:
    syncs.run()
    root = SyncRoot(f"file://{syncs.root}")
    take_lease(root, "deadbeef", "run r1 of Dag crm ('salesforce')", 600)
    with pytest.raises(SalesforceError, match=r"run r1 of Dag crm \('salesforce'\).*sync reset file.* --lease") as held:
        syncs.run()
    assert held.value.retryable
    take_lease(root, "deadbeef", "run r1 of Dag crm ('salesforce')", -1)  # its time is over
    syncs.run()


def test_a_clock_that_is_twenty_minutes_off(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run()
    org.clock_offset = 1_200
    with pytest.raises(ProtocolError, match=r"apart \(at most 0:10:00.*Set this machine's clock by NTP") as apart:
        syncs.run()
    assert apart.value.retryable
    assert not (syncs.root / "_lease.json").exists()
    assert len(syncs.chain("Account")) == 1


def test_a_state_in_the_future(syncs: Syncs) -> None:
    syncs.run(["Account"])
    state = syncs.root / "Account" / "_state.json"
    reached = syncs.state("Account")["reached"]
    state.write_text(state.read_text().replace(reached, datetime(2199, 1, 1, tzinfo=timezone.utc).isoformat()))
    error = syncs.failing(["Account", "Contact"])
    assert "which is in the future" in error.failed["Account"]
    assert len(syncs.chain("Contact")) == 1


def test_a_disk_that_is_full_in_the_middle(syncs: Syncs) -> None:
    syncs.run()
    syncs.change("Account", 1)
    syncs.change("Contact", 2)
    with syncs.full_disk_for("Contact"):
        error = syncs.failing(of=task())
    assert list(error.failed) == ["Contact"]
    assert "No space left on device" in error.failed["Contact"]
    assert error.retryable
    assert len(syncs.chain("Account")) == 2
    assert {each.sobject: each.records for each in syncs.run(of=task()).outcomes}["Contact"] == 2


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"objects": "Account"}, "objects"),
        ({"overrides": {"Account": {"pigeon": 1}}}, "overrides"),
        ({"overrides": {"Account": {"transport": "pigeon"}}}, "overrides"),
        ({"deletes": "pigeon"}, "deletes"),
        ({"on_schema_change": "explode"}, "on_schema_change"),
        ({"threads": 0}, "threads"),
        ({"exclude": "x"}, "exclude"),
    ],
)
def test_arguments_of_another_kind(syncs: Syncs, arguments: dict[str, object], argument: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        syncs.run(**arguments)  # type: ignore[arg-type]
    assert list(refused.value.fields) == [argument]
    assert not syncs.root.exists()
