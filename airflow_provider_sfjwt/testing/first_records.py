"""The records that an org has when it starts: itself, its user, and sample rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.testing.data import seed
from airflow_provider_sfjwt.testing.data.record_ids import record_id
from airflow_provider_sfjwt.testing.data.standard_objects import CASE_STATUSES
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.identity import Identity

Span = tuple[datetime, datetime]


def fill(store: Store, identity: Identity, records: Mapping[str, int] | None, span: Span | None, now: datetime) -> None:
    """Insert the first records of an org; an object that has rows gets no more.

    :param records: number of sample rows by object; None: a small set.
    :param span: SystemModstamp of sample rows is spread over it; None: the last 30 days.
    :param now: the org's time.
    :raises KeyError: for an unknown object.
    """
    if not store.count(store.schema.get("Organization")):
        for name, rows in (
            ("Organization", [_organization(identity)]),
            ("Profile", [{"Id": record_id("00e", 1), "Name": "System Administrator"}]),
            ("User", [_user(identity)]),
            ("CaseStatus", list(CASE_STATUSES)),
        ):
            store.insert(store.schema.get(name), rows, now, identity.user_id)
    for name, count in (seed.SMALL if records is None else records).items():
        sobject = store.schema.get(name)
        if count and not store.count(sobject):
            seed.seed(store, sobject, count, span or seed.last_days(now), identity.user_id)


def _organization(identity: Identity) -> dict[str, Any]:
    return {
        "Id": identity.org_id,
        "Name": "Simulated Org",
        "InstanceName": "SIM1",
        "IsSandbox": identity.sandbox,
        "OrganizationType": "Developer Edition",
        "Country": "US",
        "DefaultLocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "TimeZoneSidKey": "America/Los_Angeles",
    }


def _user(identity: Identity) -> dict[str, Any]:
    return {
        "Id": identity.user_id,
        "Username": identity.username,
        "Name": "Integration User",
        "FirstName": "Integration",
        "LastName": "User",
        "Email": identity.username,
        "Alias": "integr",
        "IsActive": True,
        "UserType": "Standard",
        "ProfileId": record_id("00e", 1),
    }
