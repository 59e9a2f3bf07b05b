"""Every error keeps what it knows, wherever it travels, and shows no secret."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from airflow_provider_sfjwt import exceptions
from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    BulkJobAbortedError,
    BulkJobError,
    BulkJobFailedError,
    BulkJobTimeoutError,
    ConfigurationError,
    ErrorItem,
    NotFoundError,
    ObjectsFailedError,
    ProtocolError,
    RecordsFailedError,
    RequestLimitError,
    SalesforceError,
    SessionExpiredError,
    TransportError,
)

JOB = {"id": "750x", "state": "Failed"}
API = {"status": 400, "items": [ErrorItem("A", "m", ("F",))], "method": "GET", "path": "/limits"}
ERRORS = [
    SalesforceError("said", retryable=True),
    ConfigurationError({"Username": "is missing", "Port": "is none"}, subject="connection 'crm'"),
    AuthenticationError(code="invalid_grant", description="no", hint="change it", retryable=True),
    TransportError("no answer", request_was_sent=False, retryable=False),
    ProtocolError("odd"),
    *(kind("refused", **API, retryable=True) for kind in (ApiError, SessionExpiredError, RequestLimitError)),
    NotFoundError("gone", status=404, method="GET", path="/x"),
    *(
        kind("ended", job=JOB, retryable=True)
        for kind in (BulkJobError, BulkJobFailedError, BulkJobAbortedError, BulkJobTimeoutError)
    ),
    RecordsFailedError("rows failed", job=JOB, failed=2, processed=5, results_path="s3://x"),
    ObjectsFailedError("1 of 2 objects failed", failed={"Account": "said"}, retryable=True),
]


def test_the_whole_tree_is_tried_here_and_drawn_in_the_docstring() -> None:
    tree = {kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, SalesforceError)}
    assert tree == {type(error) for error in ERRORS}
    for kind in tree:
        assert kind.__name__ in str(exceptions.__doc__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_travels_whole(error: SalesforceError, travel: object) -> None:
    error.__notes__ = ["a note"]  # type: ignore[attr-defined]
    arrived = travel(error)  # type: ignore[operator]
    assert type(arrived) is type(error)
    assert (str(arrived), vars(arrived)) == (str(error), vars(error))
    assert arrived.retryable is error.retryable


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_has_a_message(error: SalesforceError) -> None:
    assert str(error)
    assert str(error) in repr(error).replace('\\"', '"').replace("\\'", "'")


def test_a_retry_helps_only_where_an_error_says_so() -> None:
    assert [SalesforceError("x").retryable, ProtocolError("x").retryable] == [False, False]
    assert ConfigurationError({"Port": "x"}).retryable is False
    assert TransportError("x", request_was_sent=True).retryable is True
    assert RecordsFailedError("x", job=JOB, failed=1, processed=1, results_path=None).retryable is False


def test_a_fault_of_configuration_tells_all_at_once() -> None:
    error = ConfigurationError({"Username": "is missing", "Port": "is none"}, subject="connection 'crm'")
    assert str(error) == "connection 'crm': Username: is missing; Port: is none"
    assert isinstance(error, ValueError)
    assert (error.subject, error.fields) == ("connection 'crm'", {"Username": "is missing", "Port": "is none"})
    assert str(ConfigurationError({"Port": "x"})) == "the Salesforce JWT connection: Port: x"


def test_a_refused_sign_in_tells_what_to_change() -> None:
    error = AuthenticationError(code="invalid_grant", description="audience is invalid", hint="Set Audience.")
    assert str(error) == "Salesforce refused the sign-in (invalid_grant: audience is invalid). Set Audience."


def test_a_cause_comes_first_and_the_remedy_last() -> None:
    error = AuthenticationError(
        code="invalid_grant",
        description="no\nway",
        hint="Ask Salesforce.",
        cause="The org is locked",
        short_remedy="ask",
    )
    assert str(error) == "The org is locked: ask (invalid_grant: no way). Ask Salesforce."
    assert (error.remedy, error.setup_page) == ("Ask Salesforce.", "")
    assert str(ProtocolError("odd.", remedy="Check Proxy.")) == "odd. Check Proxy."
    assert TransportError("broke", request_was_sent=True).cause == "broke"


def test_a_job_is_named_with_its_object() -> None:
    error = BulkJobError("ended", job={"id": "750x", "object": "Account"})
    assert (error.job_id, error.sobject) == ("750x", "Account")
    assert BulkJobError("ended", job={"id": "750x"}).sobject is None


def test_the_codes_of_an_answer_are_asked_for_in_any_case() -> None:
    error = ApiError("x", **API)
    assert error.has_code("B", "a")
    assert not error.has_code("B")


def test_an_error_keeps_what_was_said_as_it_was() -> None:
    fields, job = {"Port": "x"}, {"id": "750x"}
    configuration, bulk = ConfigurationError(fields), BulkJobError("x", job=job)
    fields.clear()
    job.clear()
    assert (configuration.fields, bulk.job) == ({"Port": "x"}, {"id": "750x"})
    assert ApiError("x", **API).items == (ErrorItem("A", "m", ("F",)),)


def test_an_error_with_another_message_keeps_its_kind_and_its_data() -> None:
    error = RecordsFailedError("x", job={"id": "750x"}, failed=2, processed=9, results_path="s3://b", retryable=True)
    other = error.with_message("y", retryable=False)
    assert (type(other), str(other), other.retryable) == (RecordsFailedError, "y", False)
    assert (other.job, other.failed, other.processed, other.results_path) == ({"id": "750x"}, 2, 9, "s3://b")
    assert (str(error), error.retryable) == ("x", True)


def test_a_message_of_megabytes_keeps_its_ends() -> None:
    error = ProtocolError(f"begin {'x' * 3_000_000} end", remedy="Do something.")
    assert len(str(error)) < 17_000
    assert str(error).startswith("begin xxx")
    assert str(error).endswith(" end. Do something.")
    assert "(3,000,010 characters)" in str(error)
