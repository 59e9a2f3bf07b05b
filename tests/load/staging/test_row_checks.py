from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.from_python import CONVERSIONS
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.testing import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.dml.cell_values import NULL, check_of, parser_of
from tests.load.staging.rows import by_parent, check, column, faults_in, piece_of, table_of
from tests.random_tests import examples

ID15 = "001xx000003DGb1"
ID18 = f"{ID15}AAG"
COLUMNS: tuple[Field, ...] = (
    Field("Text__c", length=5),
    Field("Long__c", "textarea", length=32_000),
    Field("Mail__c", "email"),
    Field("Flag__c", "boolean"),
    Field("Whole__c", "int"),
    Field("Number__c", "double"),
    Field("Money__c", "currency", precision=18, scale=2),
    Field("Day__c", "date"),
    Field("At__c", "datetime"),
    Field("Clock__c", "time"),
    Field("Parent__c", "reference", reference_to=("Account",), relationship_name="Parent__r"),
)


def wrong_rows(field: Field | LoadColumn, cells: list[str | None], **options: str) -> list[int]:
    """Rows with a fault, from 0."""
    one = field if isinstance(field, LoadColumn) else column(field)
    return [fault.row - 1 for fault in check([one], cells, **options) if fault.row is not None]


def field_of(kind: str, **more: Any) -> Field:
    if kind == "reference":
        return COLUMNS[-1]
    return Field("It__c", kind, **more)


TAKEN: dict[str, tuple[str, ...]] = {
    "boolean": ("true", "FALSE", "True", "1", "0", "yes", "No", "y", "N", "on", "OFF"),
    "int": ("0", "-7", "+7", "007", "2147483647", "-2147483648", "000000000000001", "3.0", "3.", "1e3"),
    "double": ("0", "-1.5", "+1.5", ".5", "5.", "1e5", "1E-5", "-1.2e+300", "12345678901234567890.1"),
    "currency": ("100", "100.00", "-0.001", "1e3"),
    "percent": ("12.5", "-3"),
    "date": (
        "2024-02-29",
        "2024-02-29T00:00:00.000Z",
        "2024-02-29 00:00:00",
        "2024-02-29Z",
        "2024-02-29+02:00",
        "1700-01-01",
        "4000-12-31",
        "2024-1-5",
    ),
    "datetime": (
        "2024-02-29T12:30:00.000Z",
        "2024-02-29T12:30:00Z",
        "2024-02-29T12:30:00.123456789Z",
        "2024-02-29T12:30:00+02:00",
        "2024-02-29T12:30:00.000+0200",
        "2024-02-29T12:30:00-11:30",
        "2024-02-29 12:30:00Z",
        "2024-02-29T12:30Z",
        "2024-02-29 12:30:00 UTC",
        "1700-01-01T00:00:00.000Z",
        "4000-12-31T23:59:59.000Z",
    ),
    "time": ("12:30:00", "12:30:00.000Z", "12:30:00Z", "23:59:59.999", "00:00:00"),
    "reference": (ID15, ID18),
    "email": ("a@b.example", "a@b", '"odd one"@b.example'),
}
REFUSED: dict[str, tuple[str, ...]] = {
    "boolean": ("maybe", "2", "tru", "-1", " true "),
    "int": ("1.5", "2147483648", " 5 ", "x", "1,000", "2200000000", "12345678901", "0x10x", "1 2"),
    "double": ("x", "1,5", "1.5.", "$1", "1e", "-", "NaN", "--1", " 1.5", "1.5 ", "1e9999"),
    "currency": ("€5", "1.000,00"),
    "percent": ("5%",),
    "date": (
        "31.01.2024",
        "2024-02-30",
        "2024-02-29 10:00:00",
        "1699-12-31",
        "4001-01-01",
        "2024-13-01",
        "2024-01-32",
        "2024/01/31",
        "01/31/2024",
        "2024-01-3x",
        "2003-04-9876",
        "20240131",
        "today",
        " 2024-01-01",
        "2024-01-01 ",
        "2024-01-01T00:00:00Z ",
    ),
    "datetime": (
        "2024-01-01T25:00:00Z",
        "2024-02-29T12:30:00",
        "2024-02-29",
        "2024-02-30T12:30:00Z",
        "4000-12-31T23:59:59-01:00",
        "2024-01-01T10:61:00Z",
        "01/31/2024 10:00",
        "1700000000",
        "2024-13-01T00:00:00Z",
        "now",
        "2024-01-01T10:00:00 CET",
        " 2024-02-29T12:30:00Z",
        "2024-02-29T12:30:00Z\n",
    ),
    "time": ("25:00:00", "12:60:00", "noon", "12", "12:30:00 "),
    "reference": ("001", "001xx000003DGb", f"{ID15}A", f"{ID18}x", "001xx-00003DGb1", "Acme", f" {ID18}", f"{ID15} "),
    "email": ("nobody", "a.b.example"),
}


@pytest.mark.parametrize("kind", sorted(TAKEN))
def test_every_form_that_salesforce_may_take_passes(kind: str) -> None:
    nothing: list[str | None] = [None, "", *[NULL] * (kind != "boolean")]
    for text in TAKEN[kind]:
        assert wrong_rows(field_of(kind), [text]) == [], text
    assert wrong_rows(field_of(kind), [*TAKEN[kind], *nothing]) == []
    assert wrong_rows(field_of(kind), nothing) == []
    assert wrong_rows(field_of(kind), []) == []


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_forms_that_no_org_takes_are_named_by_row(kind: str) -> None:
    assert set(REFUSED) == set(TAKEN)
    good = TAKEN[kind][0]
    for text in REFUSED[kind]:
        assert wrong_rows(field_of(kind), [good, text, None, good]) == [1], text
    assert wrong_rows(field_of(kind), list(REFUSED[kind])) == list(range(len(REFUSED[kind])))


def test_a_checkbox_cannot_be_emptied_and_a_number_may() -> None:
    (fault,) = check([column(COLUMNS[3]), column(COLUMNS[4])], ["true", None, NULL], ["1", NULL, NULL])
    assert (fault.row, fault.column) == (3, "Flag__c of the file")
    assert fault.message == "Flag__c is a checkbox, which cannot be emptied; give true or false"


@pytest.mark.parametrize("kind", [kind for kind in TAKEN if kind != "email"])
@pytest.mark.parametrize("around", [" {}", "{} ", "\t{}", "{}\n", "\u00a0{}"])
def test_spaces_around_a_value_or_alone_are_a_fault(kind: str, around: str) -> None:
    taken = TAKEN[kind][0]
    assert wrong_rows(field_of(kind), [taken, around.format(taken), taken, around.format("")]) == [1, 3]
    (fault, *_) = check([column(field_of(kind))], [around.format(taken)])
    assert fault.message.endswith("it has spaces around it")


def texts_like(kind: str) -> st.SearchStrategy[str]:
    known = [*TAKEN[kind], *REFUSED[kind]] if kind in TAKEN else ["abcde", "abcdef"]
    forms = {
        "date": st.dates().map(str),
        "datetime": st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
        "time": st.times().map(str),
        "int": st.integers(-(2**33), 2**33).map(str),
        "boolean": st.sampled_from(["tRue", "NO", "oN", "t"]),
        "reference": st.from_regex(r"[A-Za-z0-9]{14,19}", fullmatch=True),
        "email": st.emails(),
    }
    number = st.from_regex(r"[+-]?[0-9]{0,20}\.?[0-9]{0,5}([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    own = forms.get(kind, number if kind in ("double", "currency") else st.text(max_size=7))
    blank = st.sampled_from(["", " ", NULL, "\n", "\r\n"])
    return st.one_of(own, st.sampled_from(known), blank, st.text(st.characters(exclude_categories=("Cs",)), max_size=7))


def taken_by_the_org(field: Field, text: str) -> bool:
    if text in ("", NULL):
        return text == "" or field.type != "boolean"
    if field.reference_to:
        return canonical_id(text) is not None
    if field.type in CONVERSIONS and not text.isascii():
        # It reads the digits of every script, which Salesforce does not say of itself.
        return False
    parse, look = parser_of(field), check_of(field)
    try:
        value = parse(text) if parse else text
    except (ValueError, OverflowError):
        return False
    return look is None or look(value) is None


@pytest.mark.parametrize("field", COLUMNS, ids=lambda field: field.type)
@settings(max_examples=examples(30), deadline=None)
@given(data=st.data())
def test_nothing_is_refused_that_the_simulated_org_takes(field: Field, data: st.DataObject) -> None:
    cells: list[str | None] = [*data.draw(st.lists(texts_like(field.type), min_size=1, max_size=8))]
    refused = wrong_rows(field, cells)
    assert [cells[row] for row in refused if taken_by_the_org(field, cells[row] or "")] == []


def test_a_fault_names_file_row_column_and_what_is_wrong() -> None:
    columns = [column(COLUMNS[0]), column(COLUMNS[4])]
    table = table_of(columns, ["fine", "too long", "fine"], ["x", "1", "y" * 50])
    assert faults_in(columns, [piece_of(table, "s3://b/part.csv", first_row=101)]).kept == [
        Fault("s3://b/part.csv", 101, "Whole__c of the file", "Whole__c: 'x' is not a whole number of 32 bits"),
        Fault("s3://b/part.csv", 102, "Text__c of the file", "Text__c takes 5 characters and this has 8"),
        Fault(
            "s3://b/part.csv", 103, "Whole__c of the file", f"Whole__c: '{'y' * 40}…' is not a whole number of 32 bits"
        ),
    ]


def test_text_is_measured_in_characters_without_the_spaces_around_it() -> None:
    assert wrong_rows(COLUMNS[0], ["äöüßé", "😀😀😀😀😀", " abcde  ", "a\r\nbcd", None, "äöüßéx", "abcd e"]) == [5, 6]
    assert wrong_rows(Field("Tiny__c", length=3), [NULL, "abc", "abcd"]) == [2]
    html = column(Field("Html__c", "textarea", length=5), htmlFormatted=True)
    assert wrong_rows(html, ["<b>five5</b>"]) == []


def test_no_cell_and_no_record_may_be_longer_than_any_field_allows() -> None:
    notes = [Field(f"Notes{number}__c", "textarea", length=131_072) for number in range(4)]
    odd = column(Field("Regions__c", "multipicklist", picklist_values=("N", "S")))
    assert wrong_rows(notes[0], ["x" * 131_072, "x" * 131_073]) == [1]
    assert wrong_rows(odd, ["x" * 131_072, "x" * 131_073]) == [1]
    long, longer = "ä" * 100_000, "ä" * 100_001
    (fault,) = check([column(each) for each in notes], [long, longer], [long] * 2, [long] * 2, [long] * 2)
    assert (fault.row, fault.column) == (2, None)
    assert fault.message == "the row has more than 400,000 characters, which no record may have"


def test_only_restricted_picklists_are_held_to_their_values() -> None:
    values = ("North", "South")
    one = Field("Region__c", "picklist", picklist_values=values)
    several = Field("Regions__c", "multipicklist", picklist_values=values)
    listed = [{"value": "North", "label": "Up"}, {"value": "South", "label": "South"}]
    assert wrong_rows(one, ["West"]) == []
    restricted = column(one, restrictedPicklist=True, picklistValues=listed)
    assert wrong_rows(restricted, ["North", "north ", "Up", None, "", NULL, "West", "North;South", "West"]) == [6, 8]
    assert wrong_rows(column(several, restrictedPicklist=True), ["North;South", "south; North;", "", "North;West"]) == [
        3
    ]
    assert wrong_rows(column(one, restrictedPicklist=True, picklistValues=[]), ["West"]) == []


@pytest.mark.parametrize(("operation", "wrong"), [("insert", [1, 2, 3]), ("update", [3])])
def test_what_is_required_may_not_be_empty(operation: str, wrong: list[int]) -> None:
    ids: list[str | None] = [f"001xx000003DGb{n}" for n in range(5)]
    cells: list[str | None] = ["x", None, "", NULL, " "]
    id_column, name = column(Field("Id", "id")), column(Field("Name"), required=True)
    found = check([id_column, name], [None] * 5 if operation == "insert" else ids, cells, operation=operation)
    assert [fault.row - 1 for fault in found if fault.row is not None] == wrong
    assert {fault.message for fault in found} == {"Name is required, and empty"}


def test_a_parent_may_be_given_in_one_way_or_the_other_and_not_in_both() -> None:
    reference = COLUMNS[-1]
    columns = [
        column(reference, required=True),
        by_parent(Field("Ext__c", length=3, external_id=True), reference, required=True),
    ]
    found = check(columns, [ID18, None, ID15], [None, "longer than its field", "abc"])
    assert [(fault.row, fault.message) for fault in found] == [
        (3, "Parent__c and Parent__r.Ext__c both name the parent; only one of them may")
    ]
    alone = by_parent(Field("Number__c", "double", external_id=True), reference, required=True)
    assert wrong_rows(alone, ["1", "x", None]) == [1, 2]


def test_references_to_what_has_no_record_id_are_left_to_salesforce() -> None:
    outside = Field("Order__c", "reference", reference_to=("Order__x",), relationship_name="Order__r")
    assert wrong_rows(outside, ["any-text"]) == []


@pytest.mark.parametrize("operation", ["update", "delete", "hardDelete"])
def test_records_are_named_and_named_once(operation: str) -> None:
    found = check([column(Field("Id", "id"))], [ID18, None, NULL, ID15, "", "001XX000003dgB1"], operation=operation)
    assert [(fault.row, fault.message) for fault in found] == [
        (2, f"Id is empty, which says what to {operation}"),
        (3, f"Id is empty, which says what to {operation}"),
        (5, f"Id is empty, which says what to {operation}"),
        (4, "Id is the same as in row 1"),
    ]


def test_an_upsert_by_id_makes_records_of_rows_without_one() -> None:
    columns = [column(Field("Id", "id")), column(Field("Name"), required=True)]
    assert check(columns, [None, "", NULL, ID18], ["x", "x", "x", None], operation="upsert", key="id") == []


def test_an_upsert_by_another_key_takes_no_ids_and_no_row_without_its_key() -> None:
    columns = [column(Field("Key__c", external_id=True)), column(Field("Id", "id"))]
    found = check(columns, ["a", None, NULL], [ID18, None, NULL], operation="upsert", key="KEY__c")
    assert [(fault.row, fault.column) for fault in found] == [
        (1, "Id of the file"),
        (2, "Key__c of the file"),
        (3, "Key__c of the file"),
    ]


def test_tables_of_several_chunks_are_as_good() -> None:
    one = column(COLUMNS[4])
    chunked = pa.chunked_array([["1", "x"], [], ["2", "y"]], pa.string())
    table = pa.table({one.header: chunked})
    assert [fault.row for fault in faults_in([one], [piece_of(table)]).kept] == [2, 4]


def test_every_type_that_is_held_to_a_form_is_tried() -> None:
    assert set(CONVERSIONS) - {"percent", "long", "multipicklist", "base64"} <= {field.type for field in COLUMNS}
