from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.load.columns import LoadColumn, load_columns
from airflow_provider_sfjwt.load.operations import OPERATIONS
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.testing import Field, SimulatedOrg

MANY = ("Account", "Contact", "Lead", "Opportunity", "User", "Invoice__c")


def person_or_company() -> tuple[Field, ...]:
    return (
        Field("Who__c", "reference", reference_to=("Contact", "Lead"), relationship_name="Who__r"),
        Field("What__c", "reference", reference_to=MANY, relationship_name="What__r"),
        Field("Boss__c", "reference", reference_to=("User",), relationship_name="Boss__r", nillable=False),
        Field("Sum__c", "double", createable=False, updateable=False, calculated=True),
        Field("Code__c", external_id=True, unique=True, updateable=False),
        Field("Number__c", external_id=True, createable=False, updateable=False),
    )


@pytest.fixture(scope="module")
def connected(private_key: str) -> Iterator[tuple[SimulatedOrg, ConnectedOrg]]:
    with pytest.MonkeyPatch.context() as patch, SimulatedOrg(records={}, private_key=private_key) as running:
        running.define_object("Visit__c", person_or_company())
        running.define_object(
            "PersonOrCompany__c", (Field("Name", nillable=False, name_field=True), Field("IsPersonAccount", "boolean"))
        )
        patch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        with SalesforceJwtHook().connect() as org:
            yield running, org


@pytest.fixture
def org(connected: tuple[SimulatedOrg, ConnectedOrg]) -> ConnectedOrg:
    return connected[1]


def headers(columns: tuple[LoadColumn, ...]) -> dict[str, str]:
    return {column.source: column.header for column in columns}


def faults(org: ConnectedOrg, sobject: str, operation: str, columns: list[str], **options: Any) -> Mapping[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load_columns(org, sobject, OPERATIONS[operation], columns, **options)
    assert caught.value.subject == "the task"
    return caught.value.fields


def test_columns_keep_their_order_and_get_the_spelling_of_the_org(org: ConnectedOrg) -> None:
    columns = load_columns(org, "account", OPERATIONS["insert"], ["NAME", " phone ", "active__C"])
    assert headers(columns) == {"NAME": "Name", " phone ": "Phone", "active__C": "Active__c"}
    assert [column.field["type"] for column in columns] == ["string", "phone", "boolean"]
    assert [column.required for column in columns] == [True, False, False]


def test_a_mapping_renames_columns_and_leaves_some_out(org: ConnectedOrg) -> None:
    mapping = {"Company": "name", "noise": None}
    columns = load_columns(org, "Account", OPERATIONS["insert"], ["company", "noise", "Phone"], column_mapping=mapping)
    assert headers(columns) == {"company": "Name", "Phone": "Phone"}


def test_a_mapping_finds_the_column_of_exactly_that_name_first(org: ConnectedOrg) -> None:
    mapping = {"name": "Phone", "NAME": "Name"}
    columns = load_columns(org, "Account", OPERATIONS["insert"], ["NAME", "name"], column_mapping=mapping)
    assert headers(columns) == {"NAME": "Name", "name": "Phone"}
    found = faults(org, "Account", "insert", ["NAME", "name"], column_mapping={"Name": "Phone"})
    assert "the source has no column 'Name'" in found["column_mapping"]


def test_everything_that_is_wrong_is_said_at_once(org: ConnectedOrg) -> None:
    found = faults(
        org,
        "Opportunity",
        "insert",
        ["Id", "Nmae", "Amuont", "IsClosed", "Account.Industry", "Stage"],
        column_mapping={"Stagee": "StageName", "Stage": " "},
    )
    assert found["column_mapping"] == (
        "the source has no column 'Stagee' (did you mean Stage?); "
        "'Stage' is mapped to an empty name; None leaves a column out"
    )
    complaints = found["columns"].split("; ")
    assert complaints[0] == "Id cannot be in an insert: Salesforce assigns it"
    assert "Opportunity has no field Nmae (did you mean Name?), or field-level security hides it" in complaints[1]
    assert "did you mean Amount?" in complaints[2]
    assert complaints[3] == "Opportunity.IsClosed cannot be written by insert: it is a formula"
    assert complaints[-1] == "a new Opportunity needs Name, StageName, CloseDate, which no column has"


@pytest.mark.parametrize(
    ("sobject", "operation", "columns", "complaint"),
    [
        ("Account", "update", ["Name"], "no column is Id, which says what to update; map one to it"),
        ("Account", "hardDelete", ["Name"], "no column is Id, which says what to hardDelete"),
        ("Account", "update", ["Id", "CreatedDate"], "Salesforce sets it, or the user's permissions forbid it"),
        ("Account", "update", ["Id", "Name", "name "], "Name is written by 2 columns: Name, name "),
        ("Account", "update", ["Id", "BillingAddress"], "is made of other fields; name BillingStreet, BillingCity"),
        ("Visit__c", "insert", ["Name"], "a new Visit__c needs Boss__c, which no column has"),
        ("Visit__c", "update", ["Id", "Code__c"], "Visit__c.Code__c cannot be written by update"),
    ],
)
def test_columns_that_do_not_fit_the_operation_are_refused(
    org: ConnectedOrg, sobject: str, operation: str, columns: list[str], complaint: str
) -> None:
    assert complaint in faults(org, sobject, operation, columns)["columns"]


def test_what_is_required_may_come_by_a_parents_key_and_not_at_all_in_an_upsert(org: ConnectedOrg) -> None:
    (column,) = load_columns(org, "Visit__c", OPERATIONS["insert"], ["boss__R.username"])
    assert (column.header, column.required, column.written["name"]) == ("Boss__r.Username", True, "Boss__c")
    load_columns(
        org, "Opportunity", OPERATIONS["upsert"], ["external_id__c", "Amount"], external_id_field="external_id__c"
    )
    load_columns(org, "PersonOrCompany__c", OPERATIONS["insert"], ["IsPersonAccount"])


class Described:
    """Stands for an org that describes one object."""

    def __init__(self, *fields: dict[str, Any]) -> None:
        self._description = {"name": "Thing__c", "fields": list(fields)}

    def run(self, flow_function: object, sobject: str) -> dict[str, Any]:
        return self._description


def test_what_the_org_has_a_default_for_is_not_required() -> None:
    needed = {"type": "picklist", "nillable": False, "createable": True, "defaultedOnCreate": False}
    values = [{"value": "New", "defaultValue": True}, {"value": "Old", "defaultValue": False}]
    org: Any = Described(
        {**needed, "name": "Chosen__c", "picklistValues": values},
        {**needed, "name": "Counted__c", "defaultValueFormula": "1 + 1"},
        {**needed, "name": "Fixed__c", "defaultValue": "x"},
        {**needed, "name": "Flag__c", "type": "boolean"},
        {**needed, "name": "Open__c", "picklistValues": values[1:]},
    )
    assert faults(org, "Thing__c", "insert", ["Fixed__c"])["columns"] == (
        "a new Thing__c needs Open__c, which no column has"
    )


def test_an_upsert_needs_a_key_that_is_one_and_is_among_the_columns(org: ConnectedOrg) -> None:
    known = "Id, Email, ExternalKey__c"
    found = faults(org, "Contact", "upsert", ["LastName"], external_id_field="lastname")
    assert found["external_id_field"] == (
        f"LastName is neither an external id nor an idLookup field; Contact has {known}"
    )
    found = faults(org, "Contact", "upsert", ["LastName"], external_id_field="ExternalKy__c")
    assert "did you mean ExternalKey__c?" in found["external_id_field"]
    found = faults(org, "Contact", "upsert", ["LastName"], external_id_field="EXTERNALKEY__C")
    assert found["columns"] == "no column is ExternalKey__c, by which the upsert finds records; map one to it"


def test_a_key_that_nobody_may_write_still_finds_records(org: ConnectedOrg) -> None:
    load_columns(org, "Visit__c", OPERATIONS["upsert"], ["Number__c"], external_id_field="Number__c")
    columns = load_columns(org, "Visit__c", OPERATIONS["upsert"], ["Code__c", "Id"], external_id_field="code__c")
    assert headers(columns) == {"Code__c": "Code__c", "Id": "Id"}


def test_a_deletion_sends_ids_alone_and_says_what_it_does_not(
    org: ConnectedOrg, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        columns = load_columns(
            org, "Account", OPERATIONS["delete"], ["key", "Nonsense", "Name"], column_mapping={"key": "ID"}
        )
    assert headers(columns) == {"key": "Id"}
    assert "these columns are not sent: Nonsense, Name" in caplog.text


@pytest.mark.parametrize(
    ("sent", "header", "target"),
    [
        ("owner.email", "Owner.Email", "Email"),
        ("User:Owner.Username", "Owner.Username", "Username"),
        ("contact:WHO__r.externalkey__c", "Contact:Who__r.ExternalKey__c", "ExternalKey__c"),
        ("Who__r.ExternalKey__c", "Contact:Who__r.ExternalKey__c", "ExternalKey__c"),
        ("Lead:Who__r.Email", "Lead:Who__r.Email", "Email"),
        ("Invoice__c:What__r.InvoiceKey__c", "Invoice__c:What__r.InvoiceKey__c", "InvoiceKey__c"),
    ],
)
def test_parents_are_named_as_the_org_wants_it(org: ConnectedOrg, sent: str, header: str, target: str) -> None:
    sobject = "Account" if "wner" in sent else "Visit__c"
    columns = load_columns(org, sobject, OPERATIONS["update"], ["Id", sent])
    assert columns[1].header == header
    assert columns[1].field["name"] == target
    assert columns[1].reference is not None
    assert columns[1].reference["type"] == "reference"


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        ("Boss__c.Email", "Boss__c.Email: Visit__c has no relationship Boss__c (did you mean Boss__r?)"),
        ("Bos__r.Email", "(did you mean Boss__r?)"),
        ("Boss__r.Manager.Email", "goes beyond the parent's own fields"),
        ("Boss__r.Alias", "User.Alias is not an external id or idLookup field; User has Id, Username, Email"),
        ("Boss__r.Emial", "User has no field Emial (did you mean Email?)"),
        ("Account:Boss__r.Name", "Boss__c does not point to Account but to User"),
        ("Who__r.Email", "write Contact:Who__r.Email or Lead:Who__r.Email"),
        ("What__r.InvoiceKey__c", "What__c points to 6 objects; say to which, as in Account:What__r.InvoiceKey__c"),
        ("Nobody", "Visit__c has no field Nobody"),
    ],
)
def test_parents_that_salesforce_would_not_find_are_refused(org: ConnectedOrg, sent: str, complaint: str) -> None:
    assert complaint in faults(org, "Visit__c", "update", ["Id", sent])["columns"]


def test_every_object_is_described_once(connected: tuple[SimulatedOrg, ConnectedOrg]) -> None:
    running, org = connected
    before = len(running.requests)
    load_columns(org, "Account", OPERATIONS["update"], ["Id", "Owner.Email", "Parent.Id"])
    faults(org, "Visit__c", "update", ["Id", "Who__r.Email", "Boss__r.Email", "Boss__r.Username"])
    paths = [request.path.split("/")[-2] for request in running.requests[before:] if "/describe" in request.path]
    assert sorted(paths) == ["Account", "Contact", "Lead", "User", "User", "Visit__c"]


def test_operations_and_objects_that_cannot_be_are_refused(org: ConnectedOrg) -> None:
    assert "not createable" in faults(org, "CaseStatus", "insert", ["MasterLabel"])["operation"]
    assert "sobject" in _unknown_object(org)
    mapping = {"Name": None}
    assert (
        faults(org, "Invoice__c", "insert", ["Name"], column_mapping=mapping)["columns"] == "no column is left to send"
    )


def _unknown_object(org: ConnectedOrg) -> Mapping[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load_columns(org, "Acount", OPERATIONS["insert"], ["Name"])
    return caught.value.fields
