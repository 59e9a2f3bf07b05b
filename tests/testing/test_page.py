"""``docs/simulated_org.md``: its examples run here, and it names every public member with its signature."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from airflow_provider_sfjwt.testing import ApexError, ApexRequest, Fault, Field, SimulatedOrg
from airflow_provider_sfjwt.testing.oauth.certificates import certificate_for, shared_private_key
from airflow_provider_sfjwt.testing.settings import Settings
from tests.repository import REPOSITORY

PAGE = (REPOSITORY / "docs/simulated_org.md").read_text(encoding="utf-8")
FLAT = " ".join(PAGE.split())


def test_without_fixtures() -> None:
    # [START without_fixtures]
    with SimulatedOrg(records={"Account": 450}, rest_page_size=200, bulk_page_size=100) as org:
        token = org.issue_session()
        address = f"{org.url}/services/data/v66.0/query?q=SELECT+Id+FROM+Account"
        page = requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=30).json()

    assert (page["totalSize"], len(page["records"]), page["done"]) == (450, 200, False)
    # [END without_fixtures]


def test_life() -> None:
    # [START life]
    org = SimulatedOrg(port=0, records={"Lead": 5}, modified_between=None, api_versions=["65.0", "66.0"])
    org.start()  # "with SimulatedOrg() as org:" starts and closes by itself
    assert org.url.startswith("http://127.0.0.1:")
    org.stop()  # connections are refused from here on
    org.start()  # on the same port, with the same records
    print(org.now())  # the org's time, UTC
    org.close()
    # [END life]


@pytest.fixture
def running() -> Any:
    with SimulatedOrg() as org:
        yield org


@pytest.fixture
def org(running: SimulatedOrg) -> SimulatedOrg:
    """An org with the object that the examples use."""
    running.define_object("Parcel__c", [Field("Key__c", length=20, external_id=True, unique=True)])
    return running


def test_objects(running: SimulatedOrg) -> None:
    org = running
    # [START objects]
    org.define_object(
        "Shipment__c",
        [
            Field("Key__c", length=20, external_id=True, unique=True),
            Field("Weight__c", "double", precision=8, scale=2, nillable=False),
            Field("Account__c", "reference", reference_to=("Account",), relationship_name="Account__r"),
        ],
        label="Shipment",
        bulk=True,
    )
    org.add_field("Shipment__c", Field("Sent__c", "datetime"))
    org.hide_field("Shipment__c", "Sent__c")  # as field-level security does: queries do not know it
    # [END objects]
    assert org.rows("Shipment__c") == []


def test_records(org: SimulatedOrg) -> None:
    # [START records]
    first, second = org.insert("Parcel__c", [{"Key__c": "a"}, {"Key__c": "b"}])
    org.update("Parcel__c", first, {"Key__c": "c"})  # SystemModstamp changes too
    org.delete("Parcel__c", second)  # into the recycle bin: one record for each call

    found = {row["Key__c"]: row["IsDeleted"] for row in org.rows("Parcel__c")}

    assert found == {"c": False, "b": True}
    # [END records]


def test_apex(org: SimulatedOrg) -> None:
    # [START apex]
    def book(request: ApexRequest) -> dict[str, Any]:
        if request.body["amount"] < 0:
            raise ApexError("InvoiceException: an amount is negative")
        return {"booked": True, "number": request.path.rpartition("/")[2]}

    org.apex_rest("PUT", "/invoices/v1/*", book)
    org.apex_rest("GET", "/invoices/v1/count", 7)
    # [END apex]
    client = requests.Session()
    client.headers["Authorization"] = f"Bearer {org.issue_session()}"
    address = f"{org.url}/services/apexrest/invoices/v1"
    assert client.put(f"{address}/41", json={"amount": 5}, timeout=30).json() == {"booked": True, "number": "41"}
    assert client.put(f"{address}/41", json={"amount": -5}, timeout=30).status_code == 500
    assert client.get(f"{address}/count", timeout=30).json() == 7


def test_looking(org: SimulatedOrg) -> None:
    requests.get(f"{org.url}/services/data", timeout=30)
    # [START looking]
    assert [(request.method, request.path, request.status) for request in org.requests] == [
        ("GET", "/services/data", 200)
    ]
    assert (org.logins, org.login_history, org.api_calls, org.jobs) == (0, [], 0, {})
    # [END looking]


def test_signing_in(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    # [START signing_in]
    monkeypatch.setenv("AIRFLOW_CONN_MY_ORG", org.connection_json(api_version="66.0"))
    token = org.issue_session()  # for a client that takes a session id
    org.expire_sessions()  # and now that token is dead
    print(org.username, org.org_id, org.user_id, org.consumer_key, org.certificate, org.ca_bundle)
    # [END signing_in]
    assert "!" in token
    assert org.consumer_secret
    # [START certificate]
    org.register_certificate(certificate_for(org.private_key))  # "Save" in Setup: the old one is gone
    # [END certificate]
    assert certificate_for(shared_private_key()) == org.certificate


def test_the_event_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastavro", reason="missing: the Python package fastavro")
    with SimulatedOrg(records={}) as org:
        # [START event_bus]
        bus = org.start_event_bus("Account")
        monkeypatch.setenv("AIRFLOW_CONN_MY_ORG", org.connection_json(pubsub_endpoint=bus.endpoint))
        org.insert("Account", [{"Name": "Acme"}])  # whoever listens to /data/AccountChangeEvent gets an event
        # [END event_bus]
        assert "127.0.0.1" in bus.endpoint


def test_bad_days(org: SimulatedOrg) -> None:
    # [START bad_days]
    org.approve(False)  # "user is not admin approved to access this app"
    org.approve()

    org.add_fault(Fault(method="GET", path="*/results*", nth=2, cut_at=0.5))
    org.add_fault(Fault(path="*/jobs/query", status=503, times=None))
    org.clear_faults()

    org.fail_next_job("InternalServerError : try again")
    org.abort_next_job(kind="ingest", after_batches=1)
    org.clear_job_endings()

    org.expire_cursors()  # the next page of a REST query: INVALID_QUERY_LOCATOR
    # [END bad_days]


def test_bad_rows(org: SimulatedOrg) -> None:
    # [START bad_rows]
    org.lock_records("Parcel__c", {"Key__c": ["a", "b"]}, times=2)  # each fails twice: UNABLE_TO_LOCK_ROW

    def is_too_long(record: dict[str, object]) -> bool:
        return len(str(record["Key__c"])) > 3  # True refuses the record

    org.add_validation_rule("Parcel__c", is_too_long, "The key has more than 3 characters.", fields=["Key__c"])
    rule = org.add_assignment_rule("Lead", org.user_id)  # for assignmentRuleId, or Sforce-Auto-Assign: TRUE
    # [END bad_rows]
    assert rule.startswith("01Q")


def test_changes(org: SimulatedOrg) -> None:
    # [START changes]
    org.add_field("Parcel__c", Field("Weight__c"))
    org.hide_field("Parcel__c", "Weight__c")
    org.show_field("Parcel__c", "Weight__c")
    org.retype_field("Parcel__c", Field("Weight__c", "double", precision=18, scale=2))
    org.drop_field("Parcel__c", "Weight__c")

    first, second = org.insert("Parcel__c", [{"Key__c": "d"}, {"Key__c": "e"}])
    org.delete("Parcel__c", first, when=org.now() - timedelta(minutes=10))  # it was committed late
    org.undelete("Parcel__c", first)
    org.delete("Parcel__c", second)
    org.purge("Parcel__c", second)  # only the resource "deleted" knows its id now
    org.trim_delete_log()  # and now nothing does

    org.add_field("Parcel__c", Field("Age__c", "double", precision=18, calculated=True))
    (third,) = org.insert("Parcel__c", [{"Key__c": "f"}])
    org.recalculate("Parcel__c", third, {"Age__c": 2})  # as a formula over TODAY() does

    master, loser, *_ = [row["Id"] for row in org.rows("Account")]
    org.merge("Account", master, [loser])
    # [END changes]


def test_settings(org: SimulatedOrg) -> None:
    # [START settings]
    org.bulk_polls = 3
    org.rest_page_size = 200
    org.clock_offset = -600  # the org is ten minutes behind
    org.login_rate = 5
    # [END settings]
    assert org.now() < datetime.now(timezone.utc)


def shown(annotation: object) -> str:
    return str(annotation).strip("'\"") if isinstance(annotation, str) else getattr(annotation, "__name__", "")


def signature(name: str, function: Any) -> str:
    """A method as the page shows it: ``delete(sobject: str, record: str) -> None``."""
    found = inspect.signature(function)
    parts: list[str] = []
    star = False
    for parameter in list(found.parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        text = f"{stars}{parameter.name}: {shown(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += " = " + repr(parameter.default).replace("'", '"')
        parts.append(text)
    return f"org.{name}({', '.join(parts)}) -> {shown(found.return_annotation)}"


METHODS = dict(inspect.getmembers(SimulatedOrg, inspect.isfunction))
PROPERTIES = dict(inspect.getmembers(SimulatedOrg, lambda member: isinstance(member, property)))
CONSTRUCTOR = list(inspect.signature(SimulatedOrg).parameters.values())
PLAIN = SimulatedOrg.__annotations__


@pytest.mark.parametrize("name", [name for name in METHODS if not name.startswith("_")])
def test_every_method_stands_in_the_page_with_its_signature(name: str) -> None:
    assert f"`{signature(name, METHODS[name])}`" in FLAT


@pytest.mark.parametrize("name", [name for name in PROPERTIES if not name.startswith("_")])
def test_every_property_stands_in_the_page_with_its_type(name: str) -> None:
    returned = inspect.signature(PROPERTIES[name].fget).return_annotation
    assert f"`org.{name}: {shown(returned)}`" in FLAT


@pytest.mark.parametrize("name", [name for name in PLAIN if not name.startswith("_")])
def test_every_attribute_stands_in_the_page_with_its_type(name: str) -> None:
    assert f"`org.{name}: {shown(PLAIN[name])}`" in FLAT


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_stands_in_the_page_with_its_default(field: Any) -> None:
    default = repr(getattr(Settings(), field.name)).replace("'", '"')
    assert f"`org.{field.name}: {field.type} = {default}`" in FLAT


@pytest.mark.parametrize("parameter", CONSTRUCTOR, ids=lambda parameter: parameter.name)
def test_every_argument_of_the_constructor_stands_in_the_page(parameter: inspect.Parameter) -> None:
    default = repr(parameter.default).replace("'", '"')
    default = default if len(default) < 40 else "API_VERSIONS"
    assert f"`{parameter.name}: {shown(parameter.annotation)} = {default}`" in FLAT


def test_no_public_member_is_of_another_kind() -> None:
    with SimulatedOrg(records={}) as org:
        public = {name for name in dir(org) if not name.startswith("_")}
    settings = {field.name for field in fields(Settings)}
    assert public == {name for name in {*METHODS, *PROPERTIES, *PLAIN, *settings} if not name.startswith("_")}


def test_every_method_stands_in_an_example() -> None:
    examples = " ".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    assert [name for name in METHODS if not name.startswith("_") and f"org.{name}(" not in examples] == []
