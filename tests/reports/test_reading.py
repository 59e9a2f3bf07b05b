"""What others reported about the rows and columns of an extract, by its kind, and inputs of the same kinds."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ConfigurationError,
    ProtocolError,
)
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.reports.extracts import FORMATS, JOB, QUERY, TRANSPORTS, described, extract, names_of, rows_of

# -- R2: paths ----------------------------------------------------------------------------------------------------------

PATHS: dict[str, list[str]] = {
    "SELECT Id, Subject, Who.Type FROM Task": ["Id", "Subject", "Who.Type"],
    "SELECT id, subject, who.type FROM task": ["Id", "Subject", "Who.Type"],
    "SELECT Task.Id, Who.Name FROM Task": ["Id", "Who.Name"],
    "SELECT t.Id, t.Who.Name FROM Task t": ["Id", "Who.Name"],
    "SELECT t.Id, t.Who.Name FROM Task AS t WHERE t.Subject != null": ["Id", "Who.Name"],
    "SELECT c.LastName, a.Name, Account.Type FROM Contact c, c.Account a": ["LastName", "Account.Name", "Account.Type"],
    "SELECT c.Id, o.Name FROM Contact c, c.Account a, a.Owner o": ["Id", "Account.Owner.Name"],
    "SELECT Contact.Id, Contact.Account.Name FROM Contact": ["Id", "Account.Name"],
    "SELECT Id, Account.Owner.Email FROM Contact": ["Id", "Account.Owner.Email"],
}


@TRANSPORTS
@pytest.mark.parametrize(("soql", "names"), PATHS.items(), ids=list(PATHS))
def test_R2_paths(org: SimulatedOrg, tmp_path: Path, soql: str, names: list[str], transport: str) -> None:
    receipt = extract(tmp_path, soql=soql, transport=transport)
    assert names_of(receipt) == [column["name"] for column in receipt.columns] == names
    assert receipt.records > 0


def test_R2_the_first_step_is_kept_and_its_value_is_the_parents(org: SimulatedOrg, tmp_path: Path) -> None:
    for transport in ("bulk", "rest"):
        receipt = extract(
            tmp_path / transport, soql="SELECT Subject, Who.Type, What.Type FROM Task", transport=transport
        )
        assert rows_of(receipt) == [
            {"Subject": "Call", "Who.Type": "Contact", "What.Type": "Account"},
            {"Subject": "Email", "Who.Type": "", "What.Type": ""},
        ]


@TRANSPORTS
@pytest.mark.parametrize("hidden", ["Name", "User", "Task"])
def test_R2_a_path_stays_whole_where_an_object_cannot_be_described(
    org: SimulatedOrg, tmp_path: Path, hidden: str, transport: str
) -> None:
    gone = json.dumps([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    org.add_fault(Fault(path=f"*/sobjects/{hidden}/describe*", times=None, status=404, body=gone))
    soql = "SELECT Id, Who.Name, CreatedBy.Email FROM Task"
    receipt = extract(tmp_path, soql=soql, transport=transport)
    assert names_of(receipt) == ["Id", "Who.Name", "CreatedBy.Email"]
    assert rows_of(receipt)[0]["CreatedBy.Email"] == org.username


EQUAL_NAMES = [
    "SELECT Name, Id, name FROM Account",
    "SELECT Account.Id, Id FROM Account",
    "SELECT a.Name, Name FROM Account a",
    "SELECT toLabel(Status), Status FROM Case",
    "SELECT Id, FORMAT(CreatedDate) id FROM Account",
]


@TRANSPORTS
@FORMATS
@pytest.mark.parametrize("soql", EQUAL_NAMES)
def test_R2_two_columns_of_one_name_are_refused(
    org: SimulatedOrg, tmp_path: Path, soql: str, file_format: str, transport: str
) -> None:
    with pytest.raises(ConfigurationError, match="two columns would be named"):
        extract(tmp_path, soql=soql, file_format=file_format, transport=transport)
    assert not org.jobs


@FORMATS
def test_R2_a_result_with_two_columns_of_one_name_is_refused(
    org: SimulatedOrg, tmp_path: Path, file_format: str
) -> None:
    org.add_fault(Fault(path="*/results*", edit_body=lambda page: page.replace(b'"Phone"', b'"name"')))
    with pytest.raises(ProtocolError, match="two columns that are named Name"):
        extract(tmp_path, soql="SELECT Id, Name, Phone FROM Account", file_format=file_format, transport="bulk")
    assert list(tmp_path.iterdir()) == []


# -- R3: rows that Salesforce does not count ----------------------------------------------------------------------------


@pytest.fixture
def uncounted(org: SimulatedOrg) -> SimulatedOrg:
    org.uncounted_objects = ("Account",)
    return org


def test_R3_uncounted_rows_end_by_done(uncounted: SimulatedOrg, tmp_path: Path) -> None:
    assert len(list(SalesforceJwtHook().query("SELECT Id FROM Account"))) == 25
    operator = SalesforceQueryOperator(task_id="q", soql="SELECT Id FROM Account", max_rows=25)
    assert len(operator.execute({})) == 25
    receipt = extract(tmp_path, soql="SELECT Id FROM Account", transport="rest")
    assert (receipt.records, receipt.counts.job) == (25, None)
    assert SalesforceJwtHook().read_receipt(f"file://{tmp_path}").counts.job is None


ENDLESS: dict[str, dict[str, Any]] = {
    "not done, no next page": {"done": False, "nextRecordsUrl": None},
    "not done, an empty next page": {"done": False, "nextRecordsUrl": ""},
    "no word of done": {"done": None},
    "done as text": {"done": "false"},
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=list(ENDLESS))
@pytest.mark.parametrize("counted", [True, False], ids=["counted", "uncounted"])
def test_R3_a_page_that_does_not_say_whether_it_is_the_last_is_an_error(
    org: SimulatedOrg, tmp_path: Path, answer: dict[str, Any], counted: bool
) -> None:
    size = {} if counted else {"totalSize": -1}
    org.add_fault(Fault(path=QUERY, nth=1, times=None, edit_json=lambda page: {**page, **size, **answer}))
    with pytest.raises(ProtocolError, match=r"nextRecordsUrl|names a next one"):
        list(SalesforceJwtHook().query("SELECT Id FROM Account LIMIT 5"))
    with pytest.raises(ProtocolError, match=r"nextRecordsUrl|names a next one"):
        extract(tmp_path, soql="SELECT Id FROM Account LIMIT 5", transport="rest")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "whole"), [(5, True), (25, False), (-1, False)])
def test_R3_a_last_page_that_names_a_next_one_is_the_end_where_the_count_proves_it(
    org: SimulatedOrg, size: int, whole: bool
) -> None:
    last = {"done": True, "nextRecordsUrl": "/services/data/v66.0/query/01g-10", "totalSize": size}
    org.add_fault(Fault(path=QUERY, edit_json=lambda page: {**page, **last}))
    with nullcontext() if whole else pytest.raises(ProtocolError):
        assert len(list(SalesforceJwtHook().query("SELECT Id FROM Account LIMIT 5"))) == 5


def test_R3_a_count_that_salesforce_does_not_give_is_an_error(org: SimulatedOrg) -> None:
    org.add_fault(Fault(path=QUERY, edit_json=lambda page: {**page, "totalSize": -1}))
    with pytest.raises(ProtocolError, match="does not count"):
        list(SalesforceJwtHook().query("SELECT COUNT() FROM Account"))


def test_R3_uncounted_children_are_taken_whole(org: SimulatedOrg) -> None:
    def uncounted_children(page: dict[str, Any]) -> dict[str, Any]:
        for row in page["records"]:
            row["Contacts"] = row["Contacts"] and {**row["Contacts"], "totalSize": -1}
        return page

    org.add_fault(Fault(path=QUERY, edit_json=uncounted_children))
    rows = list(SalesforceJwtHook().query("SELECT (SELECT LastName FROM Contacts) FROM Account LIMIT 1"))
    assert rows == [{"Contacts": [{"LastName": "Noether"}]}]


def test_R3_a_job_without_a_count_is_still_refused(org: SimulatedOrg, tmp_path: Path) -> None:
    uncounted = {"numberRecordsProcessed": None}
    org.add_fault(Fault(path=JOB, times=None, edit_json=lambda job: {**job, **uncounted}))
    with pytest.raises(ProtocolError, match="Salesforce counted None"):
        extract(tmp_path, sobject="Account", fields=["Id"], transport="bulk")


# -- R4: lookups of several objects -------------------------------------------------------------------------------------


@TRANSPORTS
@pytest.mark.parametrize(
    ("sobject", "path", "value"),
    [
        ("Task", "Who.Type", "Contact"),
        ("Task", "who.title", "Dr"),
        ("Task", "What.Name", None),
        ("Task", "Owner.Profile.Name", None),
        ("Task", "Owner.IsActive", "true"),
        ("Case", "Owner.Alias", None),
    ],
)
def test_R4_paths_have_the_fields_of_the_object_name(
    org: SimulatedOrg, tmp_path: Path, sobject: str, path: str, value: str | None, transport: str
) -> None:
    receipt = extract(tmp_path, sobject=sobject, fields=["Id", path], transport=transport)
    [_, name] = names_of(receipt)
    assert name.lower() == path.lower()
    assert value in (None, rows_of(receipt)[0][name])
    assert len(described(org)) <= 3


def test_R4_an_unmatched_path_describes_few_objects(org: SimulatedOrg, tmp_path: Path) -> None:
    for number in range(30):
        org.define_object(f"Thing{number}__c", ())
    targets = tuple(f"Thing{number}__c" for number in range(30))
    about = Field("About__c", "reference", reference_to=targets, relationship_name="About__r")
    org.define_object("Note__c", (about,))
    with pytest.raises(ConfigurationError, match=r"Note__c has no field About__r\.Colour__c"):
        extract(tmp_path, sobject="Note__c", fields=["Id", "About__r.Colour__c", "About__r.Size__c"])
    assert len(described(org)) <= 5


# -- R5: functions ------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, list[str]] = {
    "SELECT Id, toLabel(Status) st FROM Case": ["Id", "st"],
    "SELECT Id, toLabel(Status) FROM Case": ["Id", "Status"],
    "SELECT tolabel( status ) st, Id FROM Case c": ["st", "Id"],
    "SELECT toLabel(c.Status), c.Id FROM Case c": ["Status", "Id"],
    "SELECT FORMAT(CreatedDate) made, CreatedDate FROM Case": ["made", "CreatedDate"],
    "SELECT FORMAT(Amount) FROM Opportunity": ["Amount"],
    "SELECT convertCurrency(Amount), Id FROM Opportunity": ["Amount", "Id"],
    "SELECT convertCurrency(Amount) money FROM Opportunity": ["money"],
    "SELECT FORMAT(convertCurrency(Amount)) money, Amount FROM Opportunity": ["money", "Amount"],
    "SELECT Id, FORMAT(Account.CreatedDate) since FROM Case": ["Id", "since"],
    "SELECT Id, FORMAT(Account.CreatedDate) FROM Case": ["Id", "Account.CreatedDate"],
}


@pytest.mark.parametrize(("soql", "names"), FUNCTIONS.items(), ids=list(FUNCTIONS))
def test_R5_functions(org: SimulatedOrg, tmp_path: Path, soql: str, names: list[str]) -> None:
    rows = {}
    for transport in ("bulk", "rest"):
        receipt = extract(tmp_path / transport, soql=soql, transport=transport)
        assert names_of(receipt) == names
        rows[transport] = rows_of(receipt)
        empty = extract(tmp_path / f"no rows {transport}", soql=f"{soql} LIMIT 0", transport=transport)
        assert (empty.records, empty.columns, names_of(empty)) == (0, receipt.columns, names)
    assert rows["rest"] == rows["bulk"] != []


@TRANSPORTS
def test_R5_labels_are_text_and_currencies_numbers(org: SimulatedOrg, tmp_path: Path, transport: str) -> None:
    soql = "SELECT FORMAT(Amount) shown, convertCurrency(Amount) money FROM Opportunity"
    receipt = extract(tmp_path, soql=soql, transport=transport, file_format="parquet")
    shown, money = receipt.columns
    assert (shown["arrow_type"], money["salesforce_type"]) == ("string", "currency")


def test_R5_aggregates_have_their_alias_over_rest(org: SimulatedOrg) -> None:
    soql = "SELECT COUNT(Id) cases, MAX(CreatedDate) latest, MIN(Subject) FROM Case"
    [row] = SalesforceJwtHook().query(soql)
    assert list(row) == ["cases", "latest", "expr0"]
