"""One authenticated conversation with an org: the token, the API version, the retries and what it all cost."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.salesforce.api import answers, retry
from airflow_provider_sfjwt.salesforce.api.clock import OrgClock
from airflow_provider_sfjwt.salesforce.api.meter import Meter, Unmetered
from airflow_provider_sfjwt.salesforce.api.reserve import Reserve, Rule
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response, Sink, Source
from airflow_provider_sfjwt.salesforce.wire.json_text import whole_number

#: The newest API version that this package was written for. A newer org is spoken to in this one.
NEWEST_API_VERSION = 67.0
#: Seconds for which it is believed that the org's reserve is all that is left. Then the org is asked again.
_LOW_FOR = 900.0


@dataclass
class Usage:
    """What a session cost and what it learned of the org on the way.

    :param calls: how many requests counted against the org's API allocation, repetitions included.
    :param used: API calls of the org in the last 24 hours as Salesforce last said, or None.
    :param allowed: the org's allocation for 24 hours as Salesforce last said, or None.
    :param learned_at: when Salesforce said so, in seconds of the session's clock.
    :param whole: what this is a part of: calls count there too.
    """

    calls: int = 0
    used: int | None = None
    allowed: int | None = None
    learned_at: float = float("-inf")
    whole: Usage | None = None

    def count(self) -> None:
        """One more request counted."""
        self.calls += 1
        if self.whole is not None:
            self.whole.count()

    def learn(self, used: int, allowed: int, at: float) -> None:
        """Salesforce said how many calls the org has made.

        :param used: in the last 24 hours.
        :param allowed: in 24 hours.
        :param at: when, in seconds of the session's clock.
        """
        self.used, self.allowed, self.learned_at = used, allowed, at
        if self.whole is not None:
            self.whole.learn(used, allowed, at)

    @property
    def left(self) -> int | None:
        """What is left of the allocation, or None where Salesforce did not say."""
        return None if self.used is None or self.allowed is None else self.allowed - self.used


class Session:
    """What every flow of ``api`` needs to speak to one org.

    May be shared by threads and tasks; it holds no token, which it gets from the driver for each call.

    :param api_version: e.g. ``66.0``; None for the newest that the org and this package both know.
    :param policy: how often requests are repeated.
    :param clock: seconds that never go back.
    :param meter: takes the numbers of the conversation; None where nobody wants them.
    :param reserve: the API calls that are left to the org's other users; None for no such limit.
    """

    def __init__(
        self,
        api_version: str | None = None,
        policy: RetryPolicy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        meter: Meter | None = None,
        reserve: Reserve | None = None,
    ) -> None:
        self.policy = policy or RetryPolicy()
        self.meter: Meter = meter or Unmetered()
        self.usage = Usage()
        self.reserve = reserve or Reserve()
        self._keeps_reserve = bool(reserve)
        self.clock = clock
        #: The org's clock, and how it differs from this machine's.
        self.org_clock = OrgClock(clock)
        self._api_version = api_version
        self._lock = threading.Lock()

    def part(self) -> Session:
        """The same conversation with a count of its own, which is in this one's too."""
        part = copy.copy(self)  # the lock and the org's clock are shared
        whole = self.usage
        part.usage = Usage(used=whole.used, allowed=whole.allowed, learned_at=whole.learned_at, whole=whole)
        return part

    def with_own_budget(self) -> Session:
        """The same conversation for work that looks itself where it may stop for the reserve, and nowhere else."""
        same = copy.copy(self)  # the count is shared too
        same._keeps_reserve = False
        return same

    def calls_to_leave(self, at_least: int | None = None) -> Rule:
        """How many API calls must be left to others.

        :param at_least: a task's own ``min_api_calls_left``; None for no such limit.
        """
        return Rule.stricter(at_least, self.reserve, self.usage.allowed)

    def api_version(self) -> Flow[str]:
        """The API version of this session, asked of the org when the connection names none.

        :return: e.g. ``66.0``.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_versions.htm
        """
        if self._api_version is None:
            offered = yield from self.json("GET", "/services/data/")
            try:
                versions = [float(entry["version"]) for entry in offered]
            except (TypeError, KeyError, ValueError):
                raise ProtocolError("GET /services/data/ did not answer with a list of API versions") from None
            known = [version for version in versions if version <= NEWEST_API_VERSION]
            if not known:
                raise ProtocolError(f"the org offers no API version up to {NEWEST_API_VERSION}; upgrade this package")
            self._api_version = f"{max(known):.1f}"
        return self._api_version

    def path(self, resource: str, api_version: str | None = None) -> Flow[str]:
        """The path of a REST resource.

        :param resource: e.g. ``limits`` or ``jobs/query``; a path that begins with ``/`` is returned as it is.
        :param api_version: another version than the session's, e.g. that of an older job.
        """
        if resource.startswith("/"):
            return resource
        version = api_version or (yield from self.api_version())
        return f"/services/data/v{version}/{resource}"

    def json(
        self,
        method: str,
        resource: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        api_version: str | None = None,
        numbers_as_text: bool = False,
        repeatable: bool | None = None,
        on_reserve: bool = False,
    ) -> Flow[Any]:
        """Call a REST resource that speaks JSON.

        :param method: the HTTP method.
        :param resource: e.g. ``limits``, or a whole path.
        :param params: for the query string; None values are left out.
        :param json_body: what to send as JSON, or None to send nothing.
        :param headers: in addition to the session's own.
        :param api_version: another version than the session's.
        :param numbers_as_text: whether numbers come back as text with all their digits.
        :param repeatable: as :meth:`call` has it.
        :param on_reserve: the same.
        :return: the decoded JSON, or None for an empty body.
        :raises ApiError: when Salesforce answers with an error.
        """
        path = yield from self.path(resource, api_version)
        response = yield from self.call(
            method,
            path,
            params=params,
            json_body=json_body,
            headers=headers,
            repeatable=repeatable,
            on_reserve=on_reserve,
        )
        return answers.data(response, method=method, path=path, numbers_as_text=numbers_as_text)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        sink: Sink | None = None,
        source: Source | None = None,
        repeatable: bool | None = None,
        strict: bool = False,
        on_reserve: bool = False,
    ) -> Flow[Response]:
        """Send a request with a token that works, renewed once when it turns out to be dead.

        :param method: the HTTP method.
        :param path: the path, which may hold a query string.
        :param params: for the query string; None values are left out.
        :param json_body: what to send as JSON, or None to send nothing.
        :param headers: in addition to the session's own.
        :param sink: takes the body of a 2xx answer.
        :param source: opens the file to send instead of JSON; its content type belongs in ``headers``.
        :param repeatable: whether it does no harm when Salesforce processes it twice; None: for all but POST and PATCH.
        :param strict: whether a request that is not repeatable must be certain not to have been processed: "not now"
            is then believed to Salesforce alone, since what stands between may say so after it passed the request on.
        :param on_reserve: whether it is sent even where no more calls are left than the org's reserve: what asks how
            many there are, and what looks at work that is under way or ends it.
        :return: an answer whose status is one of 2xx.
        :raises ApiError: for any other.
        :raises RequestLimitError: retryable, where no more calls are left than the org's reserve.
        """
        if self._keeps_reserve and not on_reserve and not _is_free(path):
            yield from self._keep_reserve()
        url = path + _query_string(path, params)
        body = None if json_body is None else json.dumps(json_body).encode("utf-8")
        content_type = {} if body is None else {"Content-Type": "application/json; charset=UTF-8"}
        draft = Request(method, url, {**content_type, **(headers or {})}, body, sink, source)
        again = {"repeatable": method not in ("POST", "PATCH") if repeatable is None else repeatable, "strict": strict}
        token = yield from flow.renew()
        response = yield from self._send(token, draft, **again)
        if answers.session_expired(response):  # said before anything is done
            token = yield from flow.renew(token)
            response = yield from self._send(token, draft, **again)
        return answers.check(response, method=method, path=path)

    def _keep_reserve(self) -> Flow[None]:
        """Refuse a call where no more are left than the reserve. The org is asked where that is not known by now.

        :raises RequestLimitError: retryable, naming the option.
        """
        is_known = self.usage.left is not None
        if not is_known or (self._is_low() and self.clock() - self.usage.learned_at > _LOW_FOR):
            yield from self.json("GET", "limits", on_reserve=True)  # the answer's header says how many are left
        if self._is_low():
            raise self.calls_to_leave().broken(self.usage.left, self.usage.allowed)

    def _is_low(self) -> bool:
        return self.usage.left is not None and self.usage.left < self.reserve.of(self.usage.allowed)

    def server_now(self) -> datetime | None:
        """The org's clock, from the ``Date`` of its last answer, or None before the first one."""
        return self.org_clock.now()

    def _send(self, token: Token, draft: Request, *, repeatable: bool, strict: bool) -> Flow[Response]:
        sent_at = self.clock()

        def make_request() -> Request:
            nonlocal sent_at
            sent_at = self.clock()
            self._count(draft.url)
            return token.signed(draft)

        response = yield from retry.send(make_request, self.policy, repeatable=repeatable, strict=strict)
        self._learn(response)
        self.org_clock.learn(response, sent_at)
        return response

    def _count(self, path: str) -> None:
        if not _is_free(path):
            with self._lock:
                self.usage.count()
            self.meter.count("api_calls")

    def _learn(self, response: Response) -> None:
        usage = _api_usage(response.headers.get("sforce-limit-info", ""))
        if usage:
            self.usage.learn(*usage, self.clock())
            self.meter.gauge("api_calls_left", usage[1] - usage[0])


def _is_free(path: str) -> bool:
    """Whether a call does not count: the list of versions.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_versions.htm
    """
    return path.rstrip("/") == "/services/data"


def _query_string(path: str, params: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    if not given:
        return ""
    return ("&" if "?" in path else "?") + urlencode(given)


def _api_usage(header: str) -> tuple[int, int] | None:
    """``api-usage=18/5000``, possibly followed by ``; per-app-api-usage=…``."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        used, _, allowed = value.partition("/")
        numbers = whole_number(used), whole_number(allowed)
        if name == "api-usage" and numbers[0] is not None and numbers[1] is not None:
            return numbers[0], numbers[1]
    return None
