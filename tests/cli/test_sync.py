"""``airflow-salesforce-jwt sync``: how far a sync has got, and where it goes on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.sync.lease import take_lease
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]


@pytest.fixture
def root(org: SimulatedOrg, tmp_path: Path) -> str:
    """A sync of two objects."""
    org.insert("Account", [{"Name": f"account {row}"} for row in range(3)])
    org.clock_offset = 2
    path = f"file://{tmp_path}/salesforce"
    SalesforceJwtHook("sf").sync(["Account", "Contact"], path, commit_lag=0)
    return path


def test_status_shows_how_far_each_object_has_got(airflow: Airflow, root: str, tmp_path: Path) -> None:
    done = airflow("sync", "status", root)
    reached = json.loads((tmp_path / "salesforce" / "Account" / "_state.json").read_text())["reached"]
    assert done.out.splitlines() == [
        "Lease: none",
        f"Account  #1  {reached}  SystemModstamp  3 rows last",
        f"Contact  #1  {reached}  SystemModstamp  0 rows last",
    ]
    shown = json.loads(airflow("sync", "status", root, "--json", "--sobject", "account").out)
    assert [each["sobject"] for each in shown["objects"]] == ["Account"]


def test_after_a_reset_all_rows_come_again_on_the_same_chain(airflow: Airflow, root: str, org: SimulatedOrg) -> None:
    org.clock_offset += 2
    done = airflow("sync", "reset", root, "--sobject", "Account")
    assert done.out == "Account: the next run extracts all rows, as #2 of its chain.\n"
    assert "Account  #1  the next run extracts all rows" in airflow("sync", "status", root).out
    report = SalesforceJwtHook("sf").sync(["Account", "Contact"], root, commit_lag=0)
    assert {each.sobject: (each.records, each.sequence) for each in report.outcomes} == {
        "Account": (3, 2),
        "Contact": (0, 2),
    }


def test_a_lease_of_a_killed_run_is_ended(airflow: Airflow, root: str) -> None:
    take_lease(SyncRoot(root), "deadbeef", "run r1 of Dag crm ('salesforce')", 600)
    assert "Lease: run r1 of Dag crm ('salesforce'), until 20" in airflow("sync", "status", root).out
    refused = airflow("sync", "reset", root, "--sobject", "Account")
    assert refused.code == 2
    assert "run r1 of Dag crm ('salesforce') has the root until" in refused.err
    assert airflow("sync", "reset", root, "--lease").out == "The lease is ended.\n"
    assert airflow("sync", "reset", root, "--lease").out == "No run has the lease.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "file:///nowhere/at/all"), "holds no sync"),
        (("reset", "ROOT"), "Say what to reset: --sobject NAME, or --lease"),
        (("reset", "ROOT", "--sobject", "Acount"), "has no Acount; it has Account, Contact"),
        (("status", "pigeon://x/y"), "pigeon"),
    ],
    ids=["no sync", "nothing named", "an unknown object", "an unknown storage"],
)
def test_what_cannot_be_done_is_said(airflow: Airflow, root: str, arguments: tuple[str, ...], said: str) -> None:
    done = airflow("sync", *(root if each == "ROOT" else each for each in arguments))
    assert done.code == 2
    assert said in done.err
