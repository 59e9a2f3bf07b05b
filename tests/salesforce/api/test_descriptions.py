"""Descriptions that are asked for again only when something changed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import descriptions, org
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.salesforce.api.scripted import Script, ok, refusal

NOT_MODIFIED = Response(304, {"date": "Sat, 21 Nov 2026 10:00:00 GMT"}, b"")
ACCOUNT = {"name": "Account", "fields": [{"name": "Id"}]}
OBJECTS = {"sobjects": [{"name": "Account", "queryable": True}]}
DATES = {"date": "Sat, 21 Nov 2026 10:00:00 GMT", "last_modified": "Fri, 20 Nov 2026 07:00:00 GMT"}
CHANGED = datetime(2026, 11, 20, 7, tzinfo=timezone.utc)


def test_a_description_comes_with_its_date(session: Session) -> None:
    script = Script(ok(ACCOUNT, **DATES))
    dated = script.run(descriptions.describe_since(session, "Account", None))
    assert dated == descriptions.Dated(ACCOUNT, "Fri, 20 Nov 2026 07:00:00 GMT", CHANGED)
    assert script.paths == ["GET /services/data/v66.0/sobjects/Account/describe"]
    assert "If-Modified-Since" not in script.requests[0].headers


def test_objects_come_with_their_date(session: Session) -> None:
    script = Script(ok(OBJECTS, **DATES))
    dated = script.run(descriptions.describe_global_since(session, "Fri, 20 Nov 2026 06:00:00 GMT"))
    assert dated == descriptions.Dated(OBJECTS["sobjects"], "Fri, 20 Nov 2026 07:00:00 GMT", CHANGED)
    assert script.requests[0].headers["If-Modified-Since"] == "Fri, 20 Nov 2026 06:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "since"),
    [
        ({"date": DATES["date"]}, "Sat, 21 Nov 2026 09:59:00 GMT"),
        ({"date": DATES["date"], "last_modified": "yesterday"}, "Sat, 21 Nov 2026 09:59:00 GMT"),
        ({"date": DATES["date"], "last_modified": "Sat, 21 Nov 2026 09:59:59 GMT"}, "Sat, 21 Nov 2026 09:59:00 GMT"),
        ({"last_modified": DATES["last_modified"]}, None),
    ],
)
def test_a_change_in_the_same_second_is_not_missed(session: Session, headers: Any, since: str | None) -> None:
    dated = Script(ok(ACCOUNT, **headers)).run(descriptions.describe_since(session, "Account", None))
    assert dated is not None and dated.since == since


def test_what_did_not_change_is_none(session: Session) -> None:
    since = "Fri, 20 Nov 2026 07:00:00 GMT"
    assert Script(NOT_MODIFIED).run(descriptions.describe_since(session, "Account", since)) is None
    assert Script(NOT_MODIFIED).run(descriptions.describe_global_since(session, since)) is None


def test_refusals_stay_refusals(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="'Accont' does not exist in the org"):
        Script(refusal(404, "NOT_FOUND")).run(descriptions.describe_since(session, "Accont", None))
    with pytest.raises(ApiError, match="API_CURRENTLY_DISABLED"):
        Script(refusal(403, "API_CURRENTLY_DISABLED")).run(descriptions.describe_global_since(session, None))
    with pytest.raises(ProtocolError, match="description of Account has no list of fields"):
        Script(ok({}, **DATES)).run(descriptions.describe_since(session, "Account", None))


@pytest.mark.parametrize("answer", [None, [], {}, {"sobjects": {}}, {"sobjects": [None]}, {"sobjects": [{"name": 7}]}])
def test_a_list_of_objects_that_is_none_is_an_error(session: Session, answer: Any) -> None:
    for flow in (org.describe_global(session), descriptions.describe_global_since(session, None)):
        with pytest.raises(ProtocolError, match="list of objects that have names"):
            Script(ok(answer)).run(flow)


def test_objects_are_listed(session: Session) -> None:
    assert Script(ok(OBJECTS)).run(org.describe_global(session)) == OBJECTS["sobjects"]


def test_an_org_answers_so(client: Any) -> None:
    """A description is asked for until it is older than a minute, and then only when it changed."""
    running: SimulatedOrg = client.org
    running.clock_offset = 70

    first = client.run(descriptions.describe_since, "Lead", None)
    everything = client.run(descriptions.describe_global_since, None)
    assert first and everything
    assert client.run(descriptions.describe_since, "Lead", first.since) is None
    assert client.run(descriptions.describe_global_since, everything.since) is None

    running.add_field("Lead", Field("New__c"))
    second = client.run(descriptions.describe_since, "Lead", first.since)
    assert second and "New__c" in {field["name"] for field in second.content["fields"]}
    assert client.run(descriptions.describe_global_since, everything.since)
    assert client.run(descriptions.describe_since, "Lead", second.since)  # changed a moment ago
    running.clock_offset = 140
    third = client.run(descriptions.describe_since, "Lead", second.since)
    assert third and client.run(descriptions.describe_since, "Lead", third.since) is None
