"""From an assertion to an access token, and who shares it.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

from airflow_provider_sfjwt.exceptions import AuthenticationError, TransportError
from airflow_provider_sfjwt.salesforce.auth.assertion import sign_assertion
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.auth.diagnosis import explain
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey
from airflow_provider_sfjwt.salesforce.auth.login_url import TOKEN_PATH, is_loopback
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"

#: Seconds for which a refusal is remembered, so that a thousand triggers do not repeat one refused sign-in. Each
#: refusal is a row in the org's login history and counts towards the login rate.
REFUSAL_MEMORY = 60.0
RATE_LIMIT_MEMORY = 900.0
#: As long for a login URL that cannot be reached, so that all who waited for the one sign-in are told at once.
OUTAGE_MEMORY = 5.0


@dataclass(frozen=True, repr=False)
class Token:
    """An access token and what came with it. Its ``repr`` does not show it.

    :param value: the access token, opaque or JWT-shaped.
    :param instance_url: where the org's API is; it may differ from the login URL.
    :param identity_url: its last two parts are the org's id and the user's.
    :param scopes: separated by blanks, as Salesforce told them; empty where it did not.
    """

    value: str
    instance_url: str
    identity_url: str = ""
    scopes: str = ""

    @property
    def org_id(self) -> str | None:
        """The org's 18-character id, where Salesforce told it."""
        return self._identity(-2)

    @property
    def user_id(self) -> str | None:
        """The user's 18-character id, where Salesforce told it."""
        return self._identity(-1)

    def _identity(self, position: int) -> str | None:
        parts = urlsplit(self.identity_url).path.strip("/").split("/")
        return parts[position] if len(parts) >= 3 and parts[0] == "id" else None

    def __repr__(self) -> str:
        return f"Token(org {self.org_id} at {self.instance_url})"

    def __reduce__(self) -> str:
        raise TypeError("a token is never serialized")


def token_request(credentials: Credentials, key: SigningKey, *, now: float) -> Request:
    """The request that exchanges a fresh assertion for a token.

    :param credentials: who signs in.
    :param key: what to sign with.
    :param now: seconds since the epoch.
    """
    # The assertion goes into the body: a query string ends up in the logs of proxies.
    form = {"grant_type": GRANT_TYPE, "assertion": sign_assertion(credentials, key, now=now)}
    return Request(
        "POST",
        credentials.login_url + TOKEN_PATH,
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(form).encode("ascii"),
    )


def decode_token(response: Response, credentials: Credentials) -> Token:
    """Turn the token endpoint's answer into a token or an error.

    :param response: the answer.
    :param credentials: who signed in, for the hint of a refusal.
    :raises AuthenticationError: for everything but a token.
    """
    try:
        answer = json.loads(response.body)
    except ValueError:
        raise _no_oauth(response, credentials) from None
    if response.ok and isinstance(answer, dict) and _is_api_address(answer.get("instance_url")):
        value = answer.get("access_token")
        # Only what can stand in a header: anything else would end up in the error of the library that refuses it.
        if isinstance(value, str) and re.fullmatch(r"[!-~]+", value):
            identity, scopes = (str(answer.get(name) or "") for name in ("id", "scope"))
            return Token(value, answer["instance_url"].rstrip("/"), identity, scopes)
    if not isinstance(answer, dict) or "error" not in answer:
        raise _no_oauth(response, credentials)
    code, description = str(answer["error"]), str(answer.get("error_description") or "no description")
    hint, retryable = explain(code, description, credentials)
    raise AuthenticationError(
        code=code, description=description, hint=hint, retryable=retryable or response.status >= 500
    )


def _is_api_address(url: Any) -> bool:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    return host != "" and port != 0 and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _no_oauth(response: Response, credentials: Credentials) -> AuthenticationError:
    title = re.search(rb"<title[^>]*>\s*(.{1,100}?)\s*</title>", response.body, re.IGNORECASE | re.DOTALL)
    page = f"a page titled '{title[1].decode('utf-8', 'replace')}'" if title else "no OAuth answer"
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return AuthenticationError(
        code=f"http_{response.status}",
        description=f"{credentials.login_url}{TOKEN_PATH} answered with {page} ({kind})",
        hint="Check Login URL: it must be https://login.salesforce.com, https://test.salesforce.com, your My Domain or "
        "an Experience Cloud site. If it is right, a proxy answers in Salesforce's place (check Proxy), or the org is "
        "in maintenance (https://status.salesforce.com).",
        retryable=response.status >= 500 or response.status in (420, 429) or b"Data Not Available" in response.body,
    )


@dataclass
class _Shared:
    """One sign-in of this process, for all who use the same credentials."""

    token: Token | None = None
    made_at: float = 0.0
    refusal: AuthenticationError | TransportError | None = None
    refused_at: float = 0.0
    # Reentrant: the signal handler that aborts a killed job runs on the thread that may be signing in.
    thread_lock: Any = field(default_factory=threading.RLock)
    task_locks: WeakKeyDictionary[Any, asyncio.Lock] = field(default_factory=WeakKeyDictionary)


_shared: dict[tuple[str, ...], _Shared] = {}
_shared_lock = threading.Lock()


def forget_tokens() -> None:
    """Forget every token and refusal of this process. Nothing is revoked."""
    with _shared_lock:
        _shared.clear()


class TokenSource:
    """Gives a token that works: one per process and credential, and one more for each that died.

    On a real org repeated exchanges return the same session, so nothing is ever revoked here: it would sign out the
    neighbours.

    :param credentials: who signs in.
    :param exchange: makes the flow that signs in.
    :param max_age: seconds after which a token is replaced though it works; None for never. For the triggerer, which
        outlives every session.
    :param shared: false to sign in anew and to keep the token to oneself, as a connection test must.
    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        credentials: Credentials,
        exchange: Callable[[], Flow[Token]],
        *,
        max_age: float | None = None,
        shared: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._max_age = max_age
        self._clock = clock
        if shared:
            with _shared_lock:
                self._state = _shared.setdefault(credentials.identity, _Shared())
        else:
            self._state = _Shared()

    def alive(self, stale: Token | None) -> Token | None:
        """The token that is in use, unless it is ``stale`` or too old.

        :param stale: the token that Salesforce refused, or None.
        :raises SalesforceError: what the last sign-in raised, when it failed only just now.
        """
        state, now = self._state, self._clock()
        # A new task may ask once more, since somebody may have mended the app. Threads that met one dead session, and
        # the triggers of one process, would only repeat what was refused a moment ago.
        asked_before = stale is not None or self._max_age is not None
        if asked_before and state.refusal is not None and now - state.refused_at < _memory(state.refusal):
            raise copy.copy(state.refusal)
        if state.token is None or (stale is not None and stale.value == state.token.value):
            return None
        if self._max_age is not None and now - state.made_at >= self._max_age:
            return None
        return state.token

    def make(self) -> Flow[Token]:
        """Sign in, and keep the token or the error for :meth:`alive`.

        :raises AuthenticationError: when Salesforce refuses.
        :raises TransportError: when the login URL cannot be reached.
        """
        state = self._state
        try:
            token = yield from self._exchange()
        except (AuthenticationError, TransportError) as refusal:
            state.token, state.refusal, state.refused_at = None, refusal, self._clock()
            raise
        state.token, state.refusal, state.made_at = token, None, self._clock()
        return token

    def thread_lock(self) -> Any:
        """The lock under which threads sign in."""
        return self._state.thread_lock

    def task_lock(self) -> asyncio.Lock:
        """The lock under which tasks of the running event loop sign in."""
        return self._state.task_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _memory(refusal: AuthenticationError | TransportError) -> float:
    if isinstance(refusal, TransportError):
        return OUTAGE_MEMORY
    limited = "rate exceeded" in refusal.description.lower() or refusal.code == "rate_limit_exceeded"
    return RATE_LIMIT_MEMORY if limited else REFUSAL_MEMORY
