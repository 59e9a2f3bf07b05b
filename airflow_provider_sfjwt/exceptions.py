"""Every error of this package, as one tree.

::

    SalesforceError                      .retryable: may the same call succeed later?
    ├─ ConfigurationError (ValueError)   .fields: all that is wrong, at once, by its label in the form
    ├─ AuthenticationError               .code, .description, .hint: what to change, and where in Setup
    ├─ TransportError                    .request_was_sent: may a POST be repeated?
    ├─ ApiError                          .status, .items, .method, .path
    │   ├─ SessionExpiredError           401 INVALID_SESSION_ID, and the 400 InvalidSessionId spelling
    │   ├─ RequestLimitError             the org's API allocation, or too many long calls at once
    │   └─ NotFoundError                 404
    ├─ ProtocolError                     Salesforce said something we do not understand
    └─ BulkJobError                      .job: enough to resume the job or to look it up
        ├─ BulkJobFailedError
        ├─ BulkJobAbortedError
        ├─ BulkJobTimeoutError
        └─ RecordsFailedError            the job is fine, rows are not: .failed, .processed, .results_path

No message and no attribute ever holds a key, a passphrase, an assertion or a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BulkJobAbortedError",
    "BulkJobError",
    "BulkJobFailedError",
    "BulkJobTimeoutError",
    "ConfigurationError",
    "ErrorItem",
    "NotFoundError",
    "ProtocolError",
    "RecordsFailedError",
    "RequestLimitError",
    "SalesforceError",
    "SessionExpiredError",
    "TransportError",
]


class SalesforceError(Exception):
    """Anything this package can say went wrong.

    :param message: what happened, to which job, object or field, and what to do next.
    :param retryable: whether the same call may succeed later without anybody changing a setting.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments defeat the default, and errors do cross process boundaries.
        return (_restore, (type(self), self.args, self.__dict__.copy()))


def _restore(kind: type[SalesforceError], args: tuple[Any, ...], state: dict[str, Any]) -> SalesforceError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(SalesforceError, ValueError):
    """A connection or an argument that cannot work, whatever Salesforce answers.

    :param fields: each faulty field by its label in the connection form (or the argument's name), with
        one sentence on what is wrong and what to enter instead.
    :param subject: what is configured, e.g. ``connection 'salesforce_jwt_default'``; it opens the message.
    """

    def __init__(self, fields: Mapping[str, str], *, subject: str = "the Salesforce JWT connection") -> None:
        self.fields: dict[str, str] = dict(fields)
        self.subject = subject
        faults = "; ".join(f"{label}: {fault}" for label, fault in self.fields.items())
        super().__init__(f"{subject}: {faults}")


class AuthenticationError(SalesforceError):
    """Salesforce refused to exchange the assertion for a token.

    :param code: OAuth's ``error``, e.g. ``invalid_grant``.
    :param description: Salesforce's ``error_description``, as it came.
    :param hint: what to change, and where in Salesforce Setup it is.
    :param retryable: true only where waiting helps (a login rate, a maintenance page).
    """

    def __init__(self, *, code: str, description: str, hint: str, retryable: bool = False) -> None:
        self.code = code
        self.description = description
        self.hint = hint
        super().__init__(f"Salesforce refused the sign-in ({code}: {description}). {hint}", retryable=retryable)


class TransportError(SalesforceError):
    """No whole answer came back: the host is unreachable, the connection broke, or time ran out.

    :param request_was_sent: false when it is certain that Salesforce never saw the request, so that even
        a request that must not happen twice may be repeated.
    """

    def __init__(self, message: str, *, request_was_sent: bool, retryable: bool = True) -> None:
        self.request_was_sent = request_was_sent
        super().__init__(message, retryable=retryable)


class ErrorItem(NamedTuple):
    """One entry of the array that Salesforce answers with when it refuses a request."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


class ApiError(SalesforceError):
    """Salesforce answered a request with an error.

    :param message: what happened and what to do next.
    :param status: the HTTP status.
    :param items: what Salesforce listed, possibly nothing (an edge error is an HTML page).
    :param method: the HTTP method of the request.
    :param path: the path of the request, without its query string.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        items: Sequence[ErrorItem] = (),
        method: str,
        path: str,
        retryable: bool = False,
    ) -> None:
        self.status = status
        self.items = tuple(items)
        self.method = method
        self.path = path
        super().__init__(message, retryable=retryable)


class SessionExpiredError(ApiError):
    """The access token is dead, and the renewed one was refused as well."""


class RequestLimitError(ApiError):
    """The org's 24-hour API allocation is used up, or too many long calls run at once."""


class NotFoundError(ApiError):
    """The resource does not exist, or not for this user."""


class ProtocolError(SalesforceError):
    """Salesforce said something this package does not understand, so the result cannot be trusted."""


class BulkJobError(SalesforceError):
    """A Bulk API 2.0 job did not end the way it should.

    :param job: what Salesforce last said of the job, at least its ``id``.
    """

    def __init__(self, message: str, *, job: Mapping[str, Any], retryable: bool = False) -> None:
        self.job: dict[str, Any] = dict(job)
        super().__init__(message, retryable=retryable)


class BulkJobFailedError(BulkJobError):
    """The job ended as ``Failed``: ``job["errorMessage"]`` has Salesforce's reason."""


class BulkJobAbortedError(BulkJobError):
    """Somebody aborted the job."""


class BulkJobTimeoutError(BulkJobError):
    """The job did not end within the time that the task allows it."""


class RecordsFailedError(BulkJobError):
    """The job ran, but more rows failed than the task allows.

    :param failed: how many rows Salesforce rejected or did not process.
    :param processed: how many rows Salesforce looked at.
    :param results_path: the folder that holds every row's outcome, or None.
    :param retryable: true where rows were left unprocessed, which another try may load.
    """

    def __init__(
        self,
        message: str,
        *,
        job: Mapping[str, Any],
        failed: int,
        processed: int,
        results_path: str | None,
        retryable: bool = False,
    ) -> None:
        self.failed = failed
        self.processed = processed
        self.results_path = results_path
        super().__init__(message, job=job, retryable=retryable)
