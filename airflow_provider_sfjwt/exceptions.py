"""Every error of this package, as one tree.

::

    SalesforceError                      .retryable: may the same call succeed later? .remedy, .setup_page
    ├─ ConfigurationError (ValueError)   .fields: everything that is wrong, at once, by its label in the form
    ├─ AuthenticationError               .code, .description, .cause, .hint: what to change, and where in Setup
    ├─ TransportError                    .request_was_sent: may a POST be repeated? .code, .cause, .host, .said
    ├─ ApiError                          .status, .items, .method, .path
    │   ├─ SessionExpiredError           401 INVALID_SESSION_ID, and the 400 InvalidSessionId spelling
    │   ├─ RequestLimitError             the org's API allocation, or too many long calls at once
    │   └─ NotFoundError                 404
    ├─ ProtocolError                     Salesforce said something we do not understand
    ├─ BulkJobError                      .job: enough to resume the job or to look it up; .job_id, .sobject
    │   ├─ BulkJobFailedError
    │   ├─ BulkJobAbortedError
    │   ├─ BulkJobTimeoutError
    │   └─ RecordsFailedError            the job is fine, rows are not: .failed, .processed, .results_path
    └─ ObjectsFailedError               a sync ran, and objects of it failed: .failed, what went wrong by object

An error says what happened in Salesforce or on the way there, and carries the facts as attributes: whoever shows it
words the advice for its reader. No message and no attribute ever holds a key, a passphrase, an assertion or a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

E = TypeVar("E", bound="SalesforceError")
#: Characters of a message: a server may answer with megabytes, and a log, a database row and a page show it.
_LONGEST_MESSAGE = 16_000

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
    "ObjectsFailedError",
    "ProtocolError",
    "RecordsFailedError",
    "RequestLimitError",
    "SalesforceError",
    "SessionExpiredError",
    "TransportError",
]


class SalesforceError(Exception):
    """The root of all errors of this package.

    :param message: what happened, and to which job, object or field.
    :param remedy: what to change, as sentences; it ends the message. Empty where nothing can be changed.
    :param setup_page: name of the page of Salesforce Setup where that is; empty where it is not in Setup.
    :param retryable: whether the same call may succeed later without anybody changing a setting.
    """

    def __init__(self, message: str, *, remedy: str = "", setup_page: str = "", retryable: bool = False) -> None:
        if len(message) > _LONGEST_MESSAGE:
            half = _LONGEST_MESSAGE // 2
            message = f"{message[:half]} … ({len(message):,} characters) … {message[-half:]}"
        super().__init__(f"{message.rstrip('.')}. {remedy}" if remedy else message)
        self.remedy = remedy
        self.setup_page = setup_page
        self.retryable = retryable
        #: What is wrong and where, in about a hundred characters; empty where the message begins with it.
        self.brief = ""

    def with_message(self, message: str, *, retryable: bool) -> Self:
        """The same error with another message, e.g. one that says what it means for the caller.

        :param message: the new message.
        :param retryable: whether the same call may succeed later.
        """
        return _restore(type(self), (message,), {**self.__dict__, "retryable": retryable})

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments defeat the default, and errors do cross process boundaries.
        return (_restore, (type(self), self.args, self.__dict__.copy()))


def counted(number: int, noun: str) -> str:
    """A number with what it counts, e.g. ``1 row`` or ``1,200 rows``.

    :param number: how many.
    :param noun: in the singular; its plural ends with ``s``.
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _restore(kind: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(SalesforceError, ValueError):
    """A connection or an argument that cannot work, regardless of what Salesforce answers.

    :param fields: each faulty field by its label in the connection form (or the argument's name), with
        one sentence on what is wrong and what to enter instead.
    :param subject: what is configured, e.g. ``connection 'salesforce_jwt_default'``; it opens the message.
    """

    def __init__(self, fields: Mapping[str, str], *, subject: str = "the Salesforce JWT connection") -> None:
        self.fields: dict[str, str] = dict(fields)
        self.subject = subject
        super().__init__(f"{subject}: {self.summary}")

    @property
    def summary(self) -> str:
        """All faults in one line, each after its label."""
        return "; ".join(f"{label}: {fault}" for label, fault in self.fields.items())


class AuthenticationError(SalesforceError):
    """Salesforce refused to exchange the assertion for a token.

    :param code: OAuth's ``error``, e.g. ``invalid_grant``.
    :param description: Salesforce's ``error_description``, as it came.
    :param hint: what to change, and where in Salesforce Setup it is. It is the error's ``remedy`` too.
    :param cause: why the sign-in was refused, in one clause without a full stop; empty where that is unknown.
    :param short_remedy: the hint in a few words; empty where the hint is short itself.
    :param setup_page: name of the page of Salesforce Setup to look at; empty where there is none.
    :param retryable: whether waiting helps (a login rate, a maintenance page).
    """

    def __init__(
        self,
        *,
        code: str,
        description: str,
        hint: str,
        cause: str = "",
        short_remedy: str = "",
        setup_page: str = "",
        retryable: bool = False,
    ) -> None:
        self.code = code
        self.description = description
        self.hint = hint
        self.cause = cause
        self.short_remedy = short_remedy
        said = " ".join(f"{code}: {description}".split())
        why = ": ".join(filter(None, (cause, short_remedy))) or "Salesforce refused the sign-in"
        super().__init__(f"{why} ({said})", remedy=hint, setup_page=setup_page, retryable=retryable)


class TransportError(SalesforceError):
    """No whole answer came back: the host is unreachable, the connection broke, or time ran out.

    :param message: what happened, and to which request.
    :param request_was_sent: false when it is certain that Salesforce never saw the request, so that even
        a request that must not happen twice may be repeated.
    :param code: a short name of the cause, e.g. ``unknown_host``; empty where it has none.
    :param cause: what happened, in one clause without a full stop.
    :param host: the host that could not be reached, without user and password: Salesforce's or the proxy's.
    :param said: what the system or the proxy said, e.g. ``Connection refused``.
    :param remedy: what to check.
    :param retryable: false where waiting does not help, e.g. for a certificate that is not trusted.
    """

    def __init__(
        self,
        message: str,
        *,
        request_was_sent: bool,
        code: str = "",
        cause: str = "",
        host: str = "",
        said: str = "",
        remedy: str = "",
        retryable: bool = True,
    ) -> None:
        self.request_was_sent = request_was_sent
        self.code = code
        self.cause = cause or message
        self.host = host
        self.said = said
        super().__init__(message, remedy=remedy, retryable=retryable)


class ErrorItem(NamedTuple):
    """One entry of the array that Salesforce answers with when it refuses a request."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


class ApiError(SalesforceError):
    """Salesforce answered a request with an error.

    :param message: what Salesforce answered.
    :param status: the HTTP status.
    :param items: what Salesforce listed, possibly nothing (an edge error is an HTML page).
    :param method: the HTTP method of the request.
    :param path: the path of the request, without its query string.
    :param remedy: what to change; empty where the codes have no known remedy.
    :param setup_page: name of the page of Salesforce Setup where that is; empty where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        items: Sequence[ErrorItem] = (),
        method: str,
        path: str,
        remedy: str = "",
        setup_page: str = "",
        retryable: bool = False,
    ) -> None:
        self.status = status
        self.items = tuple(items)
        self.method = method
        self.path = path
        #: The task's argument that Salesforce refuses; empty where that is not known.
        self.argument = ""
        super().__init__(message, remedy=remedy, setup_page=setup_page, retryable=retryable)

    def has_code(self, *codes: str) -> bool:
        """Whether Salesforce listed one of some error codes.

        :param codes: as Salesforce writes them; upper and lower case are the same.
        """
        return not {code.upper() for code in codes}.isdisjoint(item.code.upper() for item in self.items)


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

    :param message: what happened to the job.
    :param job: what Salesforce last said of the job, at least its ``id``.
    :param remedy: what to change in Salesforce or in the request; empty where nothing is known.
    """

    def __init__(
        self, message: str, *, job: Mapping[str, Any], remedy: str = "", setup_page: str = "", retryable: bool = False
    ) -> None:
        self.job: dict[str, Any] = dict(job)
        super().__init__(message, remedy=remedy, setup_page=setup_page, retryable=retryable)

    @property
    def job_id(self) -> str:
        """The job's id."""
        return str(self.job.get("id", ""))

    @property
    def sobject(self) -> str | None:
        """The object that the job reads or writes, or None where Salesforce did not say."""
        return self.job.get("object")


class BulkJobFailedError(BulkJobError):
    """The job ended as ``Failed``: ``job["errorMessage"]`` has Salesforce's reason."""


class BulkJobAbortedError(BulkJobError):
    """Somebody aborted the job."""


class BulkJobTimeoutError(BulkJobError):
    """The job did not end within the time that was left for it."""


class RecordsFailedError(BulkJobError):
    """The job ran, but more rows failed than the task allows.

    :param message: what happened, with counts.
    :param job: what Salesforce last said of the job, at least its ``id``.
    :param failed: how many rows Salesforce rejected or did not process.
    :param processed: how many rows Salesforce looked at.
    :param results_path: the folder that holds every row's outcome, or None.
    :param remedy: what to change in the rows; empty where the message says it.
    :param retryable: true where rows were left unprocessed, which another attempt may load.
    """

    def __init__(
        self,
        message: str,
        *,
        job: Mapping[str, Any],
        failed: int,
        processed: int,
        results_path: str | None,
        remedy: str = "",
        retryable: bool = False,
    ) -> None:
        self.failed = failed
        self.processed = processed
        self.results_path = results_path
        super().__init__(message, job=job, remedy=remedy, retryable=retryable)


class ObjectsFailedError(SalesforceError):
    """A sync ran, but more objects failed than it allows. The others are published.

    :param message: what happened to which objects.
    :param failed: what went wrong, by object.
    :param retryable: whether another attempt may help one of them.
    """

    def __init__(self, message: str, *, failed: Mapping[str, str], retryable: bool = False) -> None:
        self.failed = dict(failed)
        super().__init__(message, retryable=retryable)
