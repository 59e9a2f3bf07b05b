"""When a request is repeated, and how long is waited before. Written once, for both transports."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError, SalesforceError, TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json
from airflow_provider_sfjwt.salesforce.wire.statuses import is_transient, may_hide_a_success, was_not_processed


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is repeated, and after how long.

    Salesforce asks clients to bound their retries.

    :param attempts: how many times a request is sent at most.
    :param first_delay: seconds before the first repetition; doubled for each further one.
    :param longest_delay: seconds that one delay may last, a ``Retry-After`` included.
    :param jitter: draws the delay from the longest it may be, so that many clients do not return at once.
    :param on_repeat: called before each repetition, with the answer to the attempt before; None where there was none.
    """

    attempts: int = 5
    first_delay: float = 1.0
    longest_delay: float = 120.0
    jitter: Callable[[float], float] = lambda longest: random.uniform(longest / 2, longest)
    on_repeat: Callable[[Response | None], None] = lambda response: None

    def delay(self, attempt: int, response: Response | None) -> float:
        """Seconds to wait after an attempt.

        :param attempt: which attempt just failed, from 1.
        :param response: its answer, or None when there was none.
        """
        asked = _retry_after(response) if response is not None else None
        if asked is not None:
            return min(asked, self.longest_delay)
        return self.jitter(min(self.first_delay * 2 ** (attempt - 1), self.longest_delay))


def send(
    make_request: Callable[[], Request],
    policy: RetryPolicy,
    *,
    repeatable: bool,
    strict: bool = False,
    transient: Callable[[Response], bool] = is_transient,
) -> Flow[Response]:
    """Send a request, again where that can help.

    :param make_request: makes the request anew for each attempt.
    :param policy: how often, and after how long.
    :param repeatable: whether it does no harm when Salesforce processes the request twice.
    :param strict: whether "not now" proves that a request was not processed only in Salesforce's own words: a proxy
        answers 503 also where its connection to Salesforce broke after it had passed the request on.
    :param transient: whether an answer may be another one later; default: by its status.
    :return: the last answer, whatever its status.
    :raises TransportError: when the last attempt brought no whole answer.
    """
    for attempt in range(1, policy.attempts):
        response: Response | None = None
        try:
            response = yield from flow.send(make_request())
        except TransportError as error:
            if not error.retryable or (error.request_was_sent and not repeatable):
                raise
        if response is not None and not _worth_repeating(response, transient, repeatable=repeatable, strict=strict):
            return response
        yield from flow.pause(policy.delay(attempt, response))
        policy.on_repeat(response)
    return (yield from flow.send(make_request()))


def may_have_been_processed(error: SalesforceError) -> bool:
    """Whether a request that ended in an error may have been processed all the same.

    Certain to have done nothing are a refusal and a request that never left.

    :param error: what the request ended in, after all its attempts.
    """
    if isinstance(error, ApiError):
        return may_hide_a_success(error.status)
    return isinstance(error, ProtocolError) or (isinstance(error, TransportError) and error.request_was_sent)


def _worth_repeating(
    response: Response, transient: Callable[[Response], bool], *, repeatable: bool, strict: bool
) -> bool:
    if repeatable:
        return transient(response)
    return was_not_processed(response) and (not strict or _in_salesforces_words(response))


def _in_salesforces_words(response: Response) -> bool:
    """Whether an answer lists errors as Salesforce does, https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm"""
    try:
        answer = decode_json(response.body)
    except ValueError:
        return False
    return isinstance(answer, list) and any(isinstance(item, dict) and "errorCode" in item for item in answer)


def _retry_after(response: Response) -> float | None:
    """Seconds or a date, https://datatracker.ietf.org/doc/html/rfc9110#section-10.2.3"""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    until, now = http_date(text), http_date(response.headers.get("date", ""))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """A date as HTTP headers write it.

    :param text: the header's value.
    :return: timezone-aware, or None when it is not a date.

    https://datatracker.ietf.org/doc/html/rfc9110#section-5.6.7
    """
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.year < MAXYEAR else None  # nothing can be added to the last moment of all
