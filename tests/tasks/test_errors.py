"""What Airflow shows of an error of each kind: what is wrong and what to change within the first characters."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt import exceptions
from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    BulkJobFailedError,
    BulkJobTimeoutError,
    ConfigurationError,
    ErrorItem,
    ProtocolError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.load.staging.row_faults import RowFaultsError
from airflow_provider_sfjwt.tasks.errors import EXTRACT_ADVICE, airflow_outcome

SHOWN, LINE = 120, 100
LONG = "/a-folder-with-a-long-name" * 4
QUERY = "\nSELECT Id, Nmae FROM Account\n           ^\nERROR at Row:1:Column:12\n"
ERRORS = {
    "a setting of a connection": (
        ConfigurationError({"Consumer key": "is missing: copy it"}, subject="connection 'sf'"),
        "Consumer key (connection 'sf'): is missing: copy it",
    ),
    "several arguments": (
        ConfigurationError({"sobject": "x" * 200, "timeout": "must be a number"}, subject="the task"),
        "Correct sobject, timeout. sobject: ",
    ),
    "rows with faults": (
        RowFaultsError([Fault(f"s3://bucket{LONG}/people.csv", 3, "Amount", "is not a number")], 4),
        "Column Amount, row 3 of people.csv: is not a number. 4 faults, nothing was sent",
    ),
    "a refused sign-in": (
        AuthenticationError(
            code="invalid_grant", description="x", hint="y" * 90, cause="Nobody allowed u", short_remedy="allow u"
        ),
        "Nobody allowed u: allow u",
    ),
    "no way to the host": (
        TransportError(
            f"The name h is not known (GET https://h{LONG})",
            request_was_sent=False,
            cause="The name h is not known",
            remedy="Check Login URL.",
            retryable=False,
        ),
        "The name h is not known. Check Login URL.",
    ),
    "a refused query": (
        ApiError(
            f"POST {LONG} answered 400: INVALID_FIELD: {QUERY} No such column 'Nmae' on entity 'Account'. If you…",
            status=400,
            items=[ErrorItem("INVALID_FIELD", f"{QUERY}No such column 'Nmae' on entity 'Account'. If you are …")],
            method="POST",
            path=LONG,
            remedy="Check the field's API name.",
        ),
        "INVALID_FIELD: No such column 'Nmae' on entity 'Account'. Check the field's API name.",
    ),
    "a failed job": (
        BulkJobFailedError("job 7505e0000000001AAA on Account failed: InvalidBatch", job={}),
        "job 7505e0000000001AAA on Account failed: InvalidBatch",
    ),
    "an answer that is not understood": (ProtocolError("the pages hold the same rows"), "the pages hold the same rows"),
}


def raised(
    error: SalesforceError, caplog: pytest.LogCaptureFixture, **operator: Any
) -> tuple[BaseException, list[str]]:
    """What Airflow gets of an error, and the lines before it."""
    task = SimpleNamespace(log=logging.getLogger("task"), **operator)
    with pytest.raises((SalesforceError, AirflowFailException)) as caught, airflow_outcome(task, EXTRACT_ADVICE):
        raise error
    return caught.value, [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("error", "begins"), ERRORS.values(), ids=ERRORS)
def test_the_message_begins_with_what_to_change(
    error: SalesforceError, begins: str, caplog: pytest.LogCaptureFixture
) -> None:
    shown, _ = raised(error, caplog)
    assert isinstance(shown, AirflowFailException)
    assert str(shown)[:SHOWN].startswith(begins[:SHOWN])
    assert not [name for name in exceptions.__all__ if name.endswith("Error") and name in str(shown)]


@pytest.mark.parametrize("error", [each for each, _ in ERRORS.values()], ids=ERRORS)
def test_the_whole_explanation_comes_before_it_in_short_lines(
    error: SalesforceError, caplog: pytest.LogCaptureFixture
) -> None:
    _, lines = raised(error, caplog)
    assert max(map(len, lines)) <= LINE
    said = "".join("".join(lines).split())
    faults = error.fields.values() if isinstance(error, ConfigurationError) else [str(error)]
    # A word that is longer than a line is broken; a semicolon ends a line; what to do has one of its own.
    assert not [word for fault in faults for word in fault.split() if word.rstrip(";:") not in said]


@pytest.mark.parametrize("error", [each for each, _ in ERRORS.values()], ids=ERRORS)
def test_no_other_exception_stands_beside_it(error: SalesforceError, caplog: pytest.LogCaptureFixture) -> None:
    shown, _ = raised(error, caplog)
    assert shown.__cause__ is None
    assert shown.__suppress_context__
    assert shown.__context__ is error  # for callbacks


def test_what_is_retried_keeps_its_type_and_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    error = BulkJobTimeoutError("job 7 is still InProgress", job={"id": "7"}, retryable=True)
    shown, lines = raised(error, caplog)
    assert type(shown) is BulkJobTimeoutError
    assert (shown.job, shown.retryable) == ({"id": "7"}, True)
    assert "A retry picks the job up where it is" in str(shown)
    assert "A retry picks the job up where it is" in " ".join(lines)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_a_retry_policy_sees_every_error_by_its_type(caplog: pytest.LogCaptureFixture) -> None:
    shown, _ = raised(ProtocolError("odd"), caplog, retry_policy=object())
    assert type(shown) is ProtocolError


@pytest.mark.parametrize(
    ("error", "advised"),
    [
        (ProtocolError("the answer was cut"), True),
        # Salesforce sends the same value again.
        (ProtocolError("column A holds a value that does not fit", remedy="Take file_format='csv'."), False),
    ],
)
def test_clearing_the_task_is_advised_only_where_it_may_help(
    error: SalesforceError, advised: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shown, _ = raised(error, caplog)
    assert "Nothing was published" in str(shown)
    assert ("Clearing the task" in str(shown)) is advised
