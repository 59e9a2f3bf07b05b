"""One stream for all polled objects of a connection: each interval it asks for five of them in a call.

It never raises for what happens in Salesforce: Airflow would start its watchers again every two seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_provider_sfjwt.compat import AirflowException, AirflowRuntimeError
from airflow_provider_sfjwt.compat.watchers import AssetStore, asset_store
from airflow_provider_sfjwt.exceptions import ApiError, SalesforceError
from airflow_provider_sfjwt.triggers.org_trigger import TOKEN_MAX_AGE
from airflow_provider_sfjwt.triggers.watching.mark import MOST_ROWS, Mark, first_mark, news
from airflow_provider_sfjwt.triggers.watching.payload import payload
from airflow_provider_sfjwt.triggers.watching.registry import Occurrence, Registry, Watch
from airflow_provider_sfjwt.triggers.watching.said_once import SaidOnce

log = logging.getLogger(__name__)

#: The key under which an asset's mark is stored.
STATE_KEY = "salesforce_jwt.polled"
#: Seconds before the first look: Airflow starts the watchers of one stream one after another.
_FIRST_LOOK = 2.0
#: Seconds until a look after one that failed; doubled for each further one, up to the longest.
_LONGEST_PAUSE = 600.0
_QUERIES = 5


@dataclass(frozen=True)
class PolledObject:
    """What a polling watcher looks at.

    :param sobject: the object's API name.
    :param where: a condition, or None.
    :param overlap: how long after its stamp a row may be committed.
    :param include_deleted: whether rows in the recycle bin are looked at too.
    """

    sobject: str
    where: str | None
    overlap: timedelta
    include_deleted: bool


@dataclass(frozen=True)
class Polling:
    """What all watchers of a stream have in common.

    :param salesforce_conn_id: the connection.
    :param api_version: the version to ask in, or None for the connection's.
    :param interval: seconds from one look to the next.
    :param min_api_calls_left: API calls that the org must have left for a look, or None.
    """

    salesforce_conn_id: str
    api_version: str | None
    interval: float
    min_api_calls_left: int | None

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> Polling:
        """Read it from the arguments of a watcher.

        :param kwargs: as the watcher stores them.
        """
        return cls(
            kwargs["salesforce_conn_id"],
            kwargs["api_version"],
            float(kwargs["poll_interval"]),
            kwargs["min_api_calls_left"],
        )

    @property
    def key(self) -> Hashable:
        """By which watchers find their stream."""
        return ("sfjwt-poll", self.salesforce_conn_id, self.api_version, self.interval, self.min_api_calls_left)


#: The polling watchers of this process.
POLLED: Registry[PolledObject] = Registry()
Event = Occurrence[PolledObject, Mark]


@dataclass
class _Known:
    """What the stream knows of one watcher.

    :param watch: the watcher.
    :param mark: how far its object has been watched.
    :param stored: the mark in the state store.
    :param not_before: when it is looked at again, by the clock that never goes back.
    :param pending: whether an event of it is on its way, so that its mark must not move.
    """

    watch: Watch[PolledObject]
    mark: Mark | None = None
    stored: Mark | None = None
    not_before: float = 0.0
    pending: bool = False


class PollingProducer(SharedStreamProducer):
    """The stream.

    :param polling: what its watchers have in common.
    :param store: gives an asset's state by the asset's name.
    :param first_look: seconds before the first look.
    """

    def __init__(
        self,
        polling: Polling,
        *,
        store: Callable[[str], AssetStore] = asset_store,
        first_look: float = _FIRST_LOOK,
    ) -> None:
        self._polling = polling
        self._store = store
        self._first_look = first_look
        self._known: dict[str, _Known] = {}
        self._said = SaidOnce(log)
        self._failures = 0

    async def open_stream(self) -> AsyncIterator[tuple[Event, Event]]:
        """Look at the objects, interval after interval.

        :return: events, each beside itself.
        """
        await asyncio.sleep(self._first_look)
        # The modules take a tenth of a second, which the event loop must not be held up for.
        hooks = await asyncio.to_thread(import_module, "airflow_provider_sfjwt.hooks.salesforce_jwt")
        subject = f"connection '{self._polling.salesforce_conn_id}'"
        while True:
            try:
                hook = hooks.SalesforceJwtHook(self._polling.salesforce_conn_id, api_version=self._polling.api_version)
                async with hook.aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                    while True:
                        begun = time.monotonic()
                        async for event in self._look(org):
                            yield event, event
                        self._failures = 0
                        self._said.right(subject)
                        await asyncio.sleep(max(0.0, begun + self._polling.interval - time.monotonic()))
            except (SalesforceError, AirflowException, AirflowRuntimeError) as error:
                self._failures += 1
                pause = min(self._polling.interval * 2**self._failures, max(_LONGEST_PAUSE, self._polling.interval))
                self._said.wrong(subject, str(error), f"Nothing is watched. The next look is in {pause:g} s.")
                await asyncio.sleep(pause)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Store the marks of events that Airflow has; others come again with the next look.

        :param batch: events whose watchers are done with them.
        """
        for item in batch:
            event: Event = item.broker_payload
            outcome = item.outcome
            whole = event.taken and outcome.acked > 0 and not outcome.failed and not outcome.rejected
            kept = whole and await self._keep(event.watch.asset_name, event.commit)
            known = self._known.get(event.watch.asset_name)
            if known is not None and known.watch is event.watch:
                known.pending = False
                if kept:
                    known.mark = known.stored = event.commit

    def get_advance_lane(self, broker_payload: Event) -> Hashable:
        """Each asset by itself: one whose event is not stored yet holds up no other.

        :param broker_payload: the event.
        """
        return broker_payload.watch.asset_name

    async def _look(self, org: Any) -> AsyncIterator[Event]:
        """Look once at every object that is due."""
        from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time

        if not await self._may_call(org):
            return
        due = await self._due()
        if not due:
            return
        token_org = await org.run(_org_id)
        # A row may still be stamped with the second that has begun.
        until = (await org.run(agreed_time)).replace(microsecond=0)
        for start in range(0, len(due), _QUERIES):
            for event in await self._five(org, due[start : start + _QUERIES], until, token_org):
                yield event

    async def _may_call(self, org: Any) -> bool:
        from airflow_provider_sfjwt.salesforce.api.org import limits

        rule = org.session.calls_to_leave(self._polling.min_api_calls_left)
        left = org.session.usage.left
        if left is None or left >= rule.least:
            return True
        await org.run(limits)  # one call, which says how many are left now
        left = org.session.usage.left
        subject = f"connection '{self._polling.salesforce_conn_id}', API calls"
        if left is None or left >= rule.least:
            self._said.right(subject)
            return True
        self._said.wrong(subject, f"fewer than {rule.name} are left.", "Nothing is watched meanwhile.")
        await asyncio.sleep(max(0.0, _LONGEST_PAUSE - self._polling.interval))
        return False

    async def _due(self) -> list[_Known]:
        """What is to be looked at now, with the marks of watchers that are new."""
        watches = POLLED.of(self._polling.key)
        present = {watch.asset_name: watch for watch in watches}
        self._known = {name: known for name, known in self._known.items() if present.get(name) is known.watch}
        due = []
        for watch in watches:
            known = self._known.setdefault(watch.asset_name, _Known(watch))
            if known.pending or time.monotonic() < known.not_before:
                continue
            if known.stored is not None or await self._remember(known):
                due.append(known)
        return due

    async def _remember(self, known: _Known) -> bool:
        """Read a stored mark, if there is one. False where the store does not answer."""
        name = known.watch.asset_name
        try:
            stored = await self._store(name).aget(STATE_KEY)
        except AirflowRuntimeError as error:
            self._said.wrong(f"asset '{name}'", f"its state cannot be read ({error}).", "It is read again.")
            return False
        if stored is not None:
            try:
                known.mark = known.stored = Mark.of(stored)
            except ValueError as fault:
                self._said.wrong(f"asset '{name}'", f"its state is unreadable ({fault}).", "It is watched from now on.")
        return True

    async def _five(self, org: Any, due: Sequence[_Known], until: datetime, org_id: str | None) -> list[Event]:
        from airflow_provider_sfjwt.salesforce.api.changes import Window, rows_of

        asked = [each for each in due if each.mark is None or each.mark.until < until]
        windows = []
        for known in asked:
            what = known.watch.what
            since = until - what.overlap if known.mark is None else known.mark.since(what.overlap)
            windows.append(Window(what.sobject, what.where, what.include_deleted, since, until, MOST_ROWS))
        if not windows:
            return []
        events = []
        for known, found in zip(asked, await org.run(rows_of, windows), strict=True):
            await asyncio.sleep(0)  # one object may have thousands of rows: others have their turn between two
            subject = f"asset '{known.watch.asset_name}'"
            if isinstance(found, ApiError):
                known.not_before = time.monotonic() + _LONGEST_PAUSE
                self._said.wrong(subject, str(found), f"It is looked at again in {_LONGEST_PAUSE:g} s.")
                continue
            self._said.right(subject)
            event = await self._event(known, found.pairs, until, org_id)
            if event is not None:
                known.pending = True
                events.append(event)
        return events

    async def _event(
        self, known: _Known, pairs: tuple[tuple[str, str], ...] | None, until: datetime, org_id: str | None
    ) -> Event | None:
        """The event of an object that has changed. Where nothing is new, its mark moves by itself."""
        what, mark = known.watch.what, known.mark
        if mark is None:
            made = first_mark(org_id, pairs, until)
            if await self._keep(known.watch.asset_name, made):
                known.mark = known.stored = made
            return None
        if mark.org is not None and org_id is not None and mark.org != org_id:
            since = mark.since(what.overlap)
            told = payload("poll", what.sobject, org=org_id, since=since, until=until, ids=None, gap="another org")
            return Occurrence(known.watch, told, first_mark(org_id, pairs, until))
        found = news(mark, pairs, until, what.overlap)
        if found.since is None:
            known.mark = found.mark
            old = known.stored is None or found.mark.until - known.stored.until >= what.overlap
            if old and await self._keep(known.watch.asset_name, found.mark):
                known.stored = found.mark
            return None
        told = payload("poll", what.sobject, org=org_id, since=found.since, until=until, ids=found.ids)
        return Occurrence(known.watch, told, found.mark)

    async def _keep(self, name: str, mark: Mark) -> bool:
        """Store a mark. False where the store does not take it: then the same changes come again."""
        try:
            await self._store(name).aset(STATE_KEY, mark.as_json())
        except AirflowRuntimeError as error:
            self._said.wrong(f"asset '{name}'", f"its state cannot be stored ({error}).", "Its changes come again.")
            return False
        return True


def _org_id(session: Any) -> Any:
    """The flow that gets a token and reads the org's id."""
    from airflow_provider_sfjwt.salesforce.wire.flow import renew

    token = yield from renew()
    return token.org_id
