"""A call of a REST resource: what it takes, and its result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, argument
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError
from airflow_provider_sfjwt.salesforce.api.resource import call_resource, reported_failures
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
APEX_ROOT = "/services/apexrest/"

_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f#]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: The connection and the transport write these.
_OWN_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "cookie"})
_SHOWN_FAILURES = 5


def _path(value: Any) -> str | None:
    if fault := arguments.name(value):
        return fault
    if _SPACE_OR_CONTROL.search(value):
        return "holds spaces, control characters or '#'; percent-encode them"
    return None


def _method(value: Any) -> str | None:
    return arguments.one_of(*METHODS)(value.upper() if isinstance(value, str) else value)


def _query(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"must be a dict of parameters, not {type(value).__name__}"
    wrong = [name for name, each in value.items() if not isinstance(each, str | int | float | None)]
    return f"{wrong[0]}: must be text, a number or a boolean" if wrong else None


def _payload(value: Any) -> str | None:
    try:
        if isinstance(value, str):
            json.loads(value)
        else:
            json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"is not JSON: {error}"
    return None


def _headers(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"must be a dict of headers, not {type(value).__name__}"
    for name, each in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            return f"{name!r} is not the name of a header"
        if name.lower() in _OWN_HEADERS:
            return f"{name} is written by the connection"
        if not isinstance(each, str) or not each.isprintable():
            return f"{name}: must be text without line breaks"
    return None


def _function(value: Any) -> str | None:
    return None if callable(value) else f"must be a function of the answer, not {type(value).__name__}"


@dataclass(frozen=True, kw_only=True)
class RestSpec(OrgSpec):
    """What a call of a REST resource takes, with its defaults and checks.

    :param path: what follows the API version (``limits``), a whole path, or a URL of the connection's own org.
    :param method: the HTTP method, in any case.
    :param query: parameters of the query string; None values are left out.
    :param payload: what to send as JSON: a value, or its JSON text; None sends nothing.
    :param headers: in addition to those of the connection.
    :param idempotent: whether the request may be repeated when it is unclear whether Salesforce processed it; None:
        only GET and HEAD.
    :param response_check: judges the answer; None: an answer that reports a failed part is refused.
    :param response_filter: makes the result from the answer; None: the answer is the result.
    :param max_result_bytes: bytes that the result may have as JSON.
    """

    path: str = argument(_path)
    method: str = argument(_method, default="GET")
    query: Mapping[str, Any] | None = argument(arguments.optional(_query), default=None)
    payload: Any = argument(arguments.optional(_payload), default=None)
    headers: Mapping[str, str] | None = argument(arguments.optional(_headers), default=None)
    idempotent: bool | None = argument(arguments.optional(arguments.flag), default=None)
    response_check: Callable[[Any], bool] | None = argument(arguments.optional(_function), default=None)
    response_filter: Callable[[Any], Any] | None = argument(arguments.optional(_function), default=None)
    max_result_bytes: int = argument(arguments.whole_number(1), default=1_000_000)

    @property
    def verb(self) -> str:
        """The HTTP method in capitals."""
        return self.method.upper()

    @property
    def resource(self) -> str:
        """The path as the session takes it."""
        return self.path

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the query string. Salesforce writes booleans in small letters."""
        given = self.query or {}
        return {name: str(each).lower() if isinstance(each, bool) else each for name, each in given.items()}

    @property
    def body(self) -> Any:
        """The value to send as JSON."""
        return json.loads(self.payload) if isinstance(self.payload, str) else self.payload

    @property
    def may_repeat(self) -> bool:
        """Whether a request whose outcome is unclear may be sent again."""
        return self.verb in ("GET", "HEAD") if self.idempotent is None else self.idempotent

    def judge(self, answer: Any) -> None:
        """Refuse an answer that is not a success.

        :param answer: what Salesforce answered, with a status of 2xx.
        :raises ApiError: when it reports a failed part, and no ``response_check`` was given.
        :raises ProtocolError: when ``response_check`` returns false.
        """
        if self.response_check is None:
            self._refuse_failed_parts(answer)
        elif not self.response_check(answer):
            raise ProtocolError(
                f"response_check did not accept the answer to {self.verb} {self._shown}", retryable=self.may_repeat
            )

    def _refuse_failed_parts(self, answer: Any) -> None:
        failures = reported_failures(answer)
        if not failures:
            return
        shown = "; ".join(f"{each.code}: {' '.join(each.message.split())}" for each in failures[:_SHOWN_FAILURES])
        more = len(failures) - _SHOWN_FAILURES
        raise ApiError(
            f"{self.verb} {self._shown} was answered, but reports {len(failures)} failed part(s): {shown}"
            f"{f'; and {more} more' if more > 0 else ''}.",
            status=200,
            items=failures,
            method=self.verb,
            path=self._shown,
            remedy="Correct what Salesforce names, or give a response_check that accepts such an answer.",
            retryable=self.may_repeat,
        )

    @property
    def _shown(self) -> str:
        """The path for messages, without its query string, which may hold data."""
        return self.resource.partition("?")[0]


@dataclass(frozen=True, kw_only=True)
class ApexRestSpec(RestSpec):
    """What a call of an Apex REST method takes.

    :param path: what follows ``/services/apexrest/``, with the namespace where the class has one.
    :param response_check: judges the answer; None: every answer with a status of 2xx is a success.
    """

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments."""
        faults = super().faults()
        if "path" not in faults and "//" in self.path:
            faults["path"] = f"'{self.path}' is not the path of an Apex REST method; give e.g. invoices/v1"
        return faults

    @property
    def resource(self) -> str:
        """The path as the session takes it."""
        return self.path if self.path.startswith(APEX_ROOT) else APEX_ROOT + self.path.lstrip("/")

    def judge(self, answer: Any) -> None:
        """Refuse an answer that ``response_check`` does not accept: its form is known to the author alone."""
        if self.response_check is not None:
            super().judge(answer)


def answer_of(org: ConnectedOrg, spec: RestSpec) -> Any:
    """Call the resource and return its answer, judged.

    :param org: whose resource it is.
    :param spec: the call.
    :return: the decoded JSON, text, or None for an empty body.
    :raises SalesforceError: for a call that failed, and an answer that was not accepted.
    """
    answer = org.run(
        call_resource,
        spec.verb,
        spec.resource,
        params=spec.parameters,
        json_body=spec.body,
        headers=spec.headers,
        idempotent=spec.may_repeat,
    )
    spec.judge(answer)
    return answer


def result_of(answer: Any, spec: RestSpec) -> Any:
    """The result that a task returns to XCom.

    :param answer: of the call.
    :param spec: the call.
    :raises ConfigurationError: for a result that is larger than ``max_result_bytes``. It is never cut short.
    """
    result = answer if spec.response_filter is None else spec.response_filter(answer)
    if isinstance(result, bytes):
        fault = (
            "answers with a file, which is not JSON; fetch it with hook.request() in a @task, or give response_filter"
        )
        raise ConfigurationError({"path": fault}, subject="the task")
    size = len(json.dumps(result, default=str).encode())
    if size > spec.max_result_bytes:
        raise ConfigurationError(
            {
                "max_result_bytes": f"the call succeeded, but its result has {size:,} bytes, where "
                f"{spec.max_result_bytes:,} are allowed. Keep what you need with response_filter, raise "
                "max_result_bytes, or set do_xcom_push=False"
            },
            subject="the task",
        )
    return result
