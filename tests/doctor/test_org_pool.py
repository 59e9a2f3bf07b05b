"""The pool of an org: how many slots, and why."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.doctor.checkups import last

TRIAL = datetime(2026, 12, 24, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("values", "slots"),
    [
        ({}, 3),
        ({"OrganizationType": "Enterprise Edition"}, 15),
        ({"OrganizationType": "Enterprise Edition", "TrialExpirationDate": TRIAL}, 3),
        ({"IsSandbox": True, "TrialExpirationDate": TRIAL}, 15),
    ],
)
def test_slots_follow_the_kind_of_org(org: SimulatedOrg, values: dict[str, Any], slots: int) -> None:
    (organization,) = org.rows("Organization")
    org.update("Organization", organization["Id"], values or {"Country": "US"})
    made: list[tuple[str, int, str]] = []
    finding = last(org, make_pool=lambda *pool: made.append(pool))
    assert finding.passed and finding.mark == "ok"
    ((name, found, description),) = made
    assert (name, found) == (f"salesforce_{organization['Id']}", slots)
    allowed = 25 if slots == 15 else 5
    for text in (finding.detail, description):
        assert f"lets {allowed} calls of 20 seconds or more run at once" in text
        assert f"{slots} slots leave {allowed - slots} to the org's other users" in text


@pytest.mark.parametrize(("there", "mark"), [(2, "ok"), (3, "ok"), (16, "warning")])
def test_a_pool_that_is_there_stays(org: SimulatedOrg, there: int, mark: str) -> None:
    finding = last(org, make_pool=lambda *_: there)
    assert finding.passed and finding.mark == mark and f"is there with {there} slots, and stays" in finding.detail


def test_what_went_wrong_is_said(org: SimulatedOrg) -> None:
    def broken(*_: Any) -> int | None:
        raise ConfigurationError({"[database] sql_alchemy_conn": "cannot be read"}, subject="Airflow")

    finding = last(org, make_pool=broken)
    assert not finding.passed and "was not made. Airflow: [database] sql_alchemy_conn: cannot be read" in finding.detail
    body = '[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'
    org.add_fault(Fault(path="*FROM+Organization*", status=403, body=body, times=None))
    assert not last(org, make_pool=lambda *_: None).passed


def test_without_the_option_nothing_is_asked(org: SimulatedOrg) -> None:
    assert last(org).name == "API limit"
    assert not [request for request in org.requests if "Organization" in request.path]
