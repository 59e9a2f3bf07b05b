"""Descriptions are kept beside the state, and asked for again only when they may have changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.sync.descriptions import Descriptions
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.sync.syncs import Syncs


def steps(syncs: Syncs, **arguments: Any) -> list[str]:
    """The last parts of the paths that a sync of accounts asks for, a moment later."""
    syncs.org.clock_offset += 2
    return [path.rpartition("/")[2] for path in syncs.calls(lambda: syncs.run(["Account"], **arguments))]


def kept(syncs: Syncs, **changes: Any) -> dict[str, Any]:
    """What is kept of Account, and changed."""
    path = syncs.root / "_describe" / "Account.json"
    content: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))
    return content


def test_nothing_is_described_while_nothing_changes(org: SimulatedOrg, syncs: Syncs) -> None:
    assert steps(syncs) == ["sobjects", "describe", "queryAll"]
    assert steps(syncs) == ["sobjects", "queryAll"]
    org.clock_offset += 70  # from a minute on, the list itself need not come again
    steps(syncs)
    assert steps(syncs) == ["sobjects", "queryAll"]
    assert next(each.status for each in reversed(org.requests) if each.path.endswith("/sobjects")) == 304
    assert "picklistValues" not in kept(syncs)["content"]["fields"][0]


def test_a_change_of_one_object_is_asked_for_at_the_others_with_a_condition(org: SimulatedOrg, syncs: Syncs) -> None:
    org.clock_offset += 70  # Account has been as it is for a minute
    steps(syncs)
    org.clock_offset += 5
    org.add_field("Lead", Field("New__c"))
    assert steps(syncs) == ["sobjects", "describe", "queryAll"]
    assert next(each.status for each in reversed(org.requests) if each.path.endswith("/describe")) == 304


def test_a_description_is_asked_for_anew_once_a_day(org: SimulatedOrg, syncs: Syncs) -> None:
    steps(syncs)
    kept(syncs, asked_at=(org.now() - timedelta(hours=25)).isoformat())
    assert steps(syncs) == ["sobjects", "describe", "queryAll"]
    assert org.requests[-2].status == 200


def test_what_another_user_was_shown_is_not_taken(org: SimulatedOrg, syncs: Syncs) -> None:
    steps(syncs)
    kept(syncs, of="00D000000000001AAA 005000000000001AAA 66.0 0.0.1")
    assert steps(syncs) == ["sobjects", "describe", "queryAll"]


def test_another_api_version_has_descriptions_of_its_own(
    org: SimulatedOrg, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps(syncs)
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json(api_version="65.0"))
    assert steps(syncs) == ["sobjects", "describe", "queryAll"]


def test_another_task_believes_the_list_for_a_quarter_of_an_hour(org: SimulatedOrg, syncs: Syncs) -> None:
    steps(syncs)
    objects = syncs.root / "_describe" / "_objects.json"

    def described() -> list[str]:
        with SalesforceJwtHook().connect() as connected:
            return syncs.calls(lambda: Descriptions(SyncRoot(f"file://{syncs.root}")).of(connected, "Account"))

    assert described() == []
    looked_at = (org.now() - timedelta(minutes=16)).isoformat()
    objects.write_text(json.dumps(json.loads(objects.read_text()) | {"looked_at": looked_at}))
    assert len(described()) == 1
