"""Who shares an access token, when it is replaced, and how long a failed sign-in is remembered.

On a real org repeated exchanges return the same session, so nothing is ever revoked here: it would sign out everybody
else who uses the token.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_sfjwt.exceptions import AuthenticationError, TransportError
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.auth.diagnosis import OUTAGE_MEMORY, cause_of
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire.flow import Flow


class _SignIn:
    """The last sign-in with some credentials: its token, or why there is none."""

    def __init__(self) -> None:
        self._token: Token | None = None
        self._refusal: AuthenticationError | TransportError | None = None
        self._ended_at = 0.0
        # Reentrant: the signal handler that aborts a killed job runs on the thread that may be signing in.
        self.thread_lock = threading.RLock()
        self.task_locks: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()

    def succeeded(self, token: Token, now: float) -> None:
        self._token, self._refusal, self._ended_at = token, None, now

    def failed(self, refusal: AuthenticationError | TransportError, now: float) -> None:
        self._token, self._refusal, self._ended_at = None, refusal, now

    def token(self, stale: Token | None, max_age: float | None, now: float) -> Token | None:
        """The token, unless Salesforce refused it or it is too old."""
        if self._token is None or (stale is not None and stale.value == self._token.value):
            return None
        return self._token if max_age is None or now - self._ended_at < max_age else None

    def recent_refusal(self, now: float) -> AuthenticationError | TransportError | None:
        """Why the sign-in failed, as long as that is remembered."""
        refusal = self._refusal
        return refusal if refusal is not None and now - self._ended_at < _memory(refusal) else None


class _SignIns:
    """The sign-ins of a process, by the credentials that they share."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[str, ...], _SignIn] = {}
        self._lock = threading.Lock()

    def of(self, credentials: Credentials) -> _SignIn:
        with self._lock:
            return self._by_identity.setdefault(credentials.identity, _SignIn())

    def forget(self) -> None:
        with self._lock:
            self._by_identity.clear()


_of_this_process = _SignIns()


def token_in_use(credentials: Credentials) -> Token | None:
    """The token that this process has from its last sign-in; None where there was none. Nobody signs in for it.

    :param credentials: who signed in.
    """
    return _of_this_process.of(credentials).token(None, None, 0.0)


def forget_tokens() -> None:
    """Forget every token and refusal of this process. Nothing is revoked."""
    _of_this_process.forget()


class TokenSource:
    """Gives a token that works: one per process and credential, and one more for each that died.

    :param credentials: who signs in.
    :param exchange: makes the flow that signs in.
    :param announce: is called with each new token; None: nobody must know it.
    :param aannounce: the same from an event loop.
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
        announce: Callable[[Token], None] | None = None,
        aannounce: Callable[[Token], Awaitable[None]] | None = None,
        max_age: float | None = None,
        shared: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._announce, self._aannounce = announce, aannounce
        self._max_age = max_age
        self._clock = clock
        self._last = _of_this_process.of(credentials) if shared else _SignIn()

    def alive(self, stale: Token | None) -> Token | None:
        """The token that is in use, unless it is ``stale`` or too old.

        :param stale: the token that Salesforce refused, or None.
        :raises SalesforceError: what the last sign-in raised, when it failed only just now.
        """
        now = self._clock()
        # A new task may ask once more, since somebody may have mended the app. Threads that met one dead session, and
        # the triggers of one process, would only repeat what was refused a moment ago.
        may_ask_again = stale is None and self._max_age is None
        refusal = None if may_ask_again else self._last.recent_refusal(now)
        if refusal is not None:
            raise copy.copy(refusal)
        return self._last.token(stale, self._max_age, now)

    def make(self) -> Flow[Token]:
        """Sign in, and keep the token or the error for :meth:`alive`.

        :raises AuthenticationError: when Salesforce refuses.
        :raises TransportError: when the login URL cannot be reached.
        """
        try:
            token = yield from self._exchange()
        except (AuthenticationError, TransportError) as refusal:
            self._last.failed(refusal, self._clock())
            raise
        self._last.succeeded(token, self._clock())
        return token

    def announce(self, token: Token) -> None:
        """Let those know of a new token who must know it.

        :param token: that was just made.
        """
        if self._announce is not None:
            self._announce(token)

    async def aannounce(self, token: Token) -> None:
        """The same from an event loop.

        :param token: that was just made.
        """
        if self._aannounce is not None:
            await self._aannounce(token)

    def thread_lock(self) -> Any:
        """The lock under which threads sign in."""
        return self._last.thread_lock

    def task_lock(self) -> asyncio.Lock:
        """The lock under which tasks of the running event loop sign in."""
        return self._last.task_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _memory(refusal: AuthenticationError | TransportError) -> float:
    """Seconds for which a failed sign-in is not repeated."""
    return OUTAGE_MEMORY if isinstance(refusal, TransportError) else cause_of(refusal.code, refusal.description).memory
