"""Formula fields: values that change without SystemModstamp, read again and published as links of the chain."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.sync.applied import applied, in_org
from tests.sync.syncs import Syncs

DEAL = "Deal__c"
HASHES = "_formulas.arrow"
FORMULAS = ["Score__c", "Region__c", "Open__c"]


@pytest.fixture
def deals(org: SimulatedOrg) -> list[str]:
    """An object with three formula fields, and the ids of its rows."""
    computed: dict[str, Any] = {"calculated": True, "createable": False, "updateable": False}
    org.define_object(
        DEAL,
        [
            Field("Description", "string", length=80),
            Field("Score__c", "double", precision=18, scale=4, **computed),
            Field("Region__c", "string", length=200, **computed),
            Field("Open__c", "boolean", **computed),
        ],
    )
    rows = [{"Name": f"deal {number}", "Score__c": Decimal(number) / 4, "Region__c": "EMEA"} for number in range(20)]
    ids = org.insert(DEAL, rows)
    org.clock_offset += 5
    return ids


def run(syncs: Syncs, later: float = 100, **asked: Any) -> None:
    syncs.org.clock_offset += later
    syncs.run([DEAL], **{"refresh_formulas": 60, **asked})


def kinds(syncs: Syncs) -> list[str]:
    return [receipt["kind"] for receipt in syncs.chain(DEAL)]


def in_step(syncs: Syncs) -> bool:
    return applied(syncs.root, DEAL) == in_org(syncs.org, DEAL)


def published(syncs: Syncs) -> list[str]:
    """The ids of the rows of the last link of formulas."""
    last = [each for each in read_sync(f"file://{syncs.root}", DEAL) if each.only_formulas][-1]
    return sorted(row["Id"] for row in last.rows().read_all().to_pylist())


def test_new_values_are_a_link_of_the_chain(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    org.recalculate(DEAL, deals[3], {"Score__c": 99})
    org.recalculate(DEAL, deals[7], {"Region__c": 'a, "quoted"\ntext', "Open__c": True})
    org.recalculate(DEAL, deals[8], {"Region__c": None})
    assert not in_step(syncs)
    run(syncs)
    assert kinds(syncs) == ["changes", "formulas", "changes"]
    assert in_step(syncs)
    first, link, last = syncs.chain(DEAL)
    assert [each["name"] for each in link["columns"]] == ["Id", *FORMULAS]
    assert (link["records"], link["counts"]) == (3, {"written": 20, "pages": 20, "job": 20})
    assert (link["sequence"], link["window"], link["deletes"]) == (2, None, None)
    assert link["previous"]["sha256"] and last["sequence"] == 3 and last["window"][0] == first["window"][1]
    assert first["formulas"] == link["formulas"] == FORMULAS
    assert published(syncs) == sorted([deals[3], deals[7], deals[8]])


def test_nothing_is_published_where_no_value_differs(syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    calls = syncs.calls(lambda: run(syncs))
    assert kinds(syncs) == ["changes", "changes"]
    assert sum("query" in path for path in calls) == 2
    reached = syncs.state(DEAL)["formulas_reached"]
    calls = syncs.calls(lambda: run(syncs, later=10))
    assert sum("query" in path for path in calls) == 1 and syncs.state(DEAL)["formulas_reached"] == reached


def test_without_refresh_formulas_no_row_is_read_again(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs, refresh_formulas=None)
    org.recalculate(DEAL, deals[0], {"Score__c": 1234})
    run(syncs, refresh_formulas=None)
    assert kinds(syncs) == ["changes", "changes"] and not in_step(syncs)
    run(syncs)
    assert kinds(syncs)[-2:] == ["formulas", "changes"] and in_step(syncs)


def test_rows_of_windows_between_two_looks_count_as_known(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    run(syncs)
    org.recalculate(DEAL, deals[0], {"Score__c": 5})
    org.update(DEAL, deals[0], {"Description": "changed"})
    run(syncs, later=10)  # the window brings the score of 5
    org.recalculate(DEAL, deals[0], {"Score__c": 0})  # as at the last look
    run(syncs)
    assert published(syncs) == [deals[0]] and in_step(syncs)


def test_deleted_undeleted_and_new_rows(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    org.delete(DEAL, deals[0])
    org.recalculate(DEAL, deals[1], {"Score__c": 7})
    (new,) = org.insert(DEAL, [{"Name": "new", "Score__c": 1}])
    run(syncs)
    assert published(syncs) == [deals[1]], "neither a deleted row nor one that no window has brought"
    assert in_step(syncs)
    org.undelete(DEAL, deals[0])
    org.recalculate(DEAL, deals[0], {"Score__c": 8})
    org.recalculate(DEAL, new, {"Score__c": 9})
    run(syncs)
    assert new in published(syncs) and in_step(syncs)


@pytest.mark.parametrize("lost", ["removed", "damaged", "of another chain"])
def test_lost_hashes_are_made_again(org: SimulatedOrg, syncs: Syncs, deals: list[str], lost: str) -> None:
    run(syncs)
    org.recalculate(DEAL, deals[2], {"Score__c": 41})
    run(syncs)
    file = syncs.root / DEAL / HASHES
    if lost == "removed":
        file.unlink()
    elif lost == "damaged":
        file.write_bytes(file.read_bytes()[:-30])
    else:
        file.write_bytes(file.read_bytes().replace(syncs.chain(DEAL)[1]["previous"]["sha256"].encode(), b"0" * 64))
    org.recalculate(DEAL, deals[4], {"Region__c": "APAC"})
    run(syncs)
    assert published(syncs) == [deals[4]] and in_step(syncs)


def test_a_run_that_ends_before_the_state_is_written(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    org.recalculate(DEAL, deals[2], {"Score__c": 41})
    before = (syncs.root / DEAL / "_state.json").read_bytes()
    hashes = syncs.root / DEAL / HASHES
    run(syncs)
    for kept in (True, False):  # the hashes were written, or not
        (syncs.root / DEAL / "_state.json").write_bytes(before)
        if not kept:
            hashes.unlink()
        run(syncs)
        assert syncs.state(DEAL)["sequence"] == len(kinds(syncs)) and kinds(syncs).count("formulas") == 1
        assert in_step(syncs)


def test_a_window_that_fails_after_a_look_leaves_the_link(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    org.recalculate(DEAL, deals[2], {"Score__c": 41})
    org.clock_offset += 100
    fault = Fault(path="/services/data/*/queryAll*", status=500, times=None, nth=2)
    org.add_fault(fault)
    error = syncs.failing([DEAL], refresh_formulas=60)
    assert DEAL in error.failed
    org.clear_faults()
    assert kinds(syncs) == ["changes", "formulas"]
    run(syncs, later=1)
    assert kinds(syncs) == ["changes", "formulas", "changes"] and in_step(syncs)


def test_a_new_formula_field_comes_with_the_window_and_is_looked_at_from_then_on(
    org: SimulatedOrg, syncs: Syncs, deals: list[str]
) -> None:
    run(syncs)
    run(syncs)
    org.add_field(DEAL, Field("Age__c", "double", precision=18, scale=0, calculated=True, createable=False))
    org.recalculate(DEAL, deals[0], {"Age__c": 3})
    org.recalculate(DEAL, deals[1], {"Score__c": 77})
    run(syncs)
    assert published(syncs) == [deals[1]]
    assert syncs.chain(DEAL)[-1]["backfilled"] == ["Age__c"] and in_step(syncs)
    org.recalculate(DEAL, deals[5], {"Age__c": 4})
    run(syncs)
    assert deals[5] in published(syncs) and in_step(syncs)
    org.drop_field(DEAL, "Region__c")
    org.recalculate(DEAL, deals[6], {"Age__c": 5})
    run(syncs)
    assert deals[6] in published(syncs) and kinds(syncs)[-2:] == ["formulas", "changes"]


def test_reset_reads_all_rows_and_the_chain_goes_on(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    from airflow_provider_sfjwt.extract.route import RestLimits
    from airflow_provider_sfjwt.sync.root import SyncRoot
    from airflow_provider_sfjwt.sync.state import States

    run(syncs)
    org.recalculate(DEAL, deals[1], {"Score__c": 5})
    states = States(SyncRoot(f"file://{syncs.root}"), RestLimits())
    state = states.current(DEAL)
    assert state is not None
    states.write(state.from_the_beginning())
    run(syncs)
    assert kinds(syncs) == ["changes", "changes"] and in_step(syncs)
    org.recalculate(DEAL, deals[2], {"Score__c": 6})
    run(syncs)
    assert published(syncs) == [deals[2]] and in_step(syncs)


@pytest.mark.parametrize("asked", [{"file_format": "csv", "compression": "gzip"}, {"file_format": "jsonl"}])
def test_other_formats(org: SimulatedOrg, syncs: Syncs, deals: list[str], asked: dict[str, Any]) -> None:
    run(syncs, **asked)
    org.recalculate(DEAL, deals[0], {"Score__c": Decimal("0.125"), "Region__c": "two\nlines", "Open__c": True})
    run(syncs, **asked)
    _, link, _ = read_sync(f"file://{syncs.root}", DEAL)
    (row,) = link.rows().read_all().to_pylist()
    assert row == {"Id": deals[0], "Score__c": Decimal("0.125"), "Region__c": "two\nlines", "Open__c": True}


def test_a_job_reads_many_rows(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    by_job = {"overrides": {DEAL: {"transport": "bulk"}}}
    run(syncs, **by_job)
    org.recalculate(DEAL, deals[0], {"Score__c": 3})
    run(syncs, **by_job)
    assert syncs.chain(DEAL)[1]["transport"] == "bulk" and in_step(syncs)


def test_where_and_named_fields_hold(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    overrides = {DEAL: {"fields": ["Name", "Score__c"], "where": "Name != 'deal 0'"}}
    run(syncs, overrides=overrides)
    for record in deals[:2]:
        org.recalculate(DEAL, record, {"Score__c": 3, "Region__c": "APAC"})
    run(syncs, overrides=overrides)
    link = syncs.chain(DEAL)[1]
    assert [each["name"] for each in link["columns"]] == ["Id", "Score__c"] and published(syncs) == [deals[1]]


def test_numbers_that_do_not_fit_widen_the_column(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    org.recalculate(DEAL, deals[0], {"Score__c": 1e25})
    run(syncs)
    link = syncs.chain(DEAL)[1]
    assert link["widened"] == ["Score__c"] and deals[0] in published(syncs)


def test_a_chain_with_formulas_has_its_ids_compared(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs, deletes="ids", deletes_every=1)
    org.recalculate(DEAL, deals[1], {"Score__c": 3})
    run(syncs, deletes="ids", deletes_every=1)
    org.delete(DEAL, deals[1])
    org.purge(DEAL, deals[1])
    run(syncs, deletes="ids", deletes_every=1)
    assert in_step(syncs) and deals[1] not in applied(syncs.root, DEAL)


def test_an_object_without_formulas_is_not_read_again(org: SimulatedOrg, syncs: Syncs) -> None:
    org.define_object("Plain__c", [Field("Text__c", "string", length=80)])
    org.insert("Plain__c", [{"Name": "one"}])
    org.clock_offset += 5
    syncs.run(["Plain__c"], refresh_formulas=60)
    org.clock_offset += 100
    calls = syncs.calls(lambda: syncs.run(["Plain__c"], refresh_formulas=60))
    assert sum("query" in path for path in calls) == 1
    assert not (syncs.root / "Plain__c" / HASHES).exists()


def test_the_files_grow_by_16_bytes_a_row(org: SimulatedOrg, syncs: Syncs, deals: list[str]) -> None:
    run(syncs)
    run(syncs)
    few = (syncs.root / DEAL / HASHES).stat().st_size
    org.insert(DEAL, [{"Name": f"more {number}"} for number in range(1_000)])
    org.clock_offset += 5
    run(syncs)
    run(syncs)
    assert (syncs.root / DEAL / HASHES).stat().st_size - few <= 16 * 1_000 + 128


def test_an_interval_that_is_none_is_refused(syncs: Syncs) -> None:
    with pytest.raises(ConfigurationError, match="refresh_formulas"):
        syncs.run([DEAL], refresh_formulas=0)


def test_a_receipt_names_the_columns_that_change_without_a_stamp(
    org: SimulatedOrg, deals: list[str], tmp_path: Path
) -> None:
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    hook = SalesforceJwtHook()
    hook.extract(output_path=f"file://{tmp_path}/a", sobject="Contact", fields=["Id", "Account.Name"])
    hook.extract(output_path=f"file://{tmp_path}/b", soql=f"SELECT Id, Score__c FROM {DEAL}")
    named = [json.loads((tmp_path / name / "_receipt.json").read_text())["formulas"] for name in ("a", "b")]
    assert named == [["Account.Name"], ["Score__c"]]
