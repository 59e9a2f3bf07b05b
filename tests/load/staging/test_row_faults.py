from __future__ import annotations

import pytest

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.load.staging.row_faults import RowFaults, RowFaultsError
from airflow_provider_sfjwt.testing import Field
from tests.load.staging.rows import column, faults_in, piece_of, table_of


def test_a_thousand_faults_are_kept_and_all_are_counted() -> None:
    whole, key = column(Field("Whole__c", "int")), column(Field("Key__c", external_id=True))
    table = table_of([key, whole], ["same"] * 800, ["x"] * 800)
    found = faults_in([key, whole], [piece_of(table), piece_of(table, first_row=801)], "upsert", "Key__c")
    assert [fault.row for fault in found.kept] == list(range(1, 1001))
    assert found.total == 1600 + 1599


def test_what_cannot_be_read_is_reported_once() -> None:
    whole = column(Field("Whole__c", "int"), required=True)
    unread = Fault("a.csv", 12, "Whole__c of the file", "byte 0xE9 is not UTF-8")
    piece = piece_of(table_of([whole], [None, None, "x"]), first_row=11, faults=[unread])
    found = faults_in([whole], [piece])
    assert [(fault.row, fault.message) for fault in found.kept] == [
        (11, "Whole__c is required, and empty"),
        (12, "byte 0xE9 is not UTF-8"),
        (13, "Whole__c: 'x' is not a whole number of 32 bits"),
    ]
    assert found.total == 3


def test_the_error_shows_twenty_and_counts_all() -> None:
    faults = RowFaults(most=30)
    faults.raise_any()
    faults.add([Fault("a.csv", row, None, f"message {row}") for row in range(1, 26)])
    faults.add([Fault("b.csv", None, "Text__c", "holds inf")] * 10)
    with pytest.raises(RowFaultsError) as caught:
        faults.raise_any()
    message = str(caught.value)
    assert message.startswith("the load: source: 35 faults in its rows, so nothing was sent: a.csv row 1: message 1; ")
    assert message.endswith("a.csv row 20: message 20; and 15 more")
    table = caught.value.table()
    assert (table.column_names, table.num_rows) == (["file", "row", "column", "message"], 30)
    assert list(table.to_pylist()[-1].values()) == ["b.csv", None, "Text__c", "holds inf"]
