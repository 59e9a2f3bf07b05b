"""Why a row was refused, in one cell."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ErrorItem
from airflow_provider_sfjwt.salesforce.api.row_errors import RETRIABLE, UNKNOWN, is_retriable, parse_row_error


@pytest.mark.parametrize(
    ("cell", "code", "message", "fields"),
    [
        (
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, 'x' is not a valid value for the type "
            "xsd:date:CloseDate --",
            "INVALID_FIELD",
            "Failed to deserialize field at col 3. Due to, 'x' is not a valid value for the type xsd:date",
            ("CloseDate",),
        ),
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [FirstName, LastName]:FirstName LastName --",
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [FirstName, LastName]",
            ("FirstName", "LastName"),
        ),
        ("A_B:m:Key__c, Name --", "A_B", "m", ("Key__c", "Name")),
        ("UNABLE_TO_LOCK_ROW:unable to obtain: 001:--", "UNABLE_TO_LOCK_ROW", "unable to obtain: 001", ()),
        ("UNABLE_TO_LOCK_ROW:unable to obtain: -- ", "UNABLE_TO_LOCK_ROW", "unable to obtain", ()),
        ("CUSTOM:two\nlines: of it:Phone --", "CUSTOM", "two\nlines: of it", ("Phone",)),
        ("CUSTOM:wait: 50% --", "CUSTOM", "wait: 50% --", ()),
        ("CUSTOM:nothing more --", "CUSTOM", "nothing more --", ()),
        ("CUSTOM:no end", "CUSTOM", "no end", ()),
        ("InvalidBatch : no such column", "InvalidBatch", "no such column", ()),
        ("a sentence without a code", UNKNOWN, "a sentence without a code", ()),
        ("two words: and more", UNKNOWN, "two words: and more", ()),
        ("", UNKNOWN, "", ()),
    ],
)
def test_a_cell_is_read(cell: str, code: str, message: str, fields: tuple[str, ...]) -> None:
    assert parse_row_error(cell) == ErrorItem(code, message, fields)


def test_the_recorded_cell_is_read(recording: Any) -> None:
    (row,) = csv.DictReader(io.StringIO(recording("bulk2/ingest_failedResults.v60.csv").decode()))
    error = parse_row_error(row["sf__Error"])
    assert (error.code, error.fields) == ("INVALID_FIELD", ("CloseDate",))
    assert error.message.endswith("for the type xsd:date")


@pytest.mark.parametrize("code", sorted(RETRIABLE))
def test_what_passes_is_worth_another_try(code: str) -> None:
    assert is_retriable(ErrorItem(code, "later"))


def test_a_lock_below_a_trigger_is_worth_another_try() -> None:
    said = "Mine: execution of AfterInsert caused by: System.DmlException: first error: UNABLE_TO_LOCK_ROW, unable"
    assert is_retriable(parse_row_error(f"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:{said}:--"))


@pytest.mark.parametrize("code", ["DUPLICATE_VALUE", "REQUIRED_FIELD_MISSING", UNKNOWN, "LOCK"])
def test_what_stays_wrong_is_not_sent_again(code: str) -> None:
    assert not is_retriable(ErrorItem(code, "unable to lock"))
