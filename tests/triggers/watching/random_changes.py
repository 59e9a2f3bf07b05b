"""Random changes of an org that is watched in both modes, while much goes wrong."""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from airflow_provider_sfjwt.assets import changed_window
from airflow_provider_sfjwt.compat import AirflowException
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from tests.triggers.watching.triggerer import Polled, States, Streamed, Triggerer

MODES = ("poll", "events")
#: Seconds after its stamp within which a row is committed.
LATE = 8
_WRITES = ("insert", "insert", "update", "update", "update", "delete", "undelete")


@dataclass
class _Record:
    """A record as it was written last. It was stamped no later than ``stamped``."""

    deleted: bool
    stamped: datetime


class Changes:
    """An org, its watchers in both modes, and what their windows brought.

    :param org: empty.
    :param bus: its event bus.
    :param folder: of the extracts.
    :param random: decides everything.
    :param objects: how many.
    :param pace: seconds from one write to the next.
    """

    def __init__(
        self, org: SimulatedOrg, bus: EventBusServer, folder: Path, random: Random, objects: int, pace: float
    ) -> None:
        self._org, self._bus, self._folder, self._random, self._pace = org, bus, folder, random, pace
        self._names = [f"Thing{number}__c" for number in range(objects)]
        for name in self._names:
            org.define_object(name, [Field("Version__c", "double", precision=18, scale=0)])
            org.start_event_bus(name)
        self._records: dict[str, dict[str, _Record]] = {name: {} for name in self._names}
        #: The last version of each record, by object and id, and the last one that each mode's extracts have brought.
        self.written: dict[tuple[str, str], int] = {}
        self._brought: dict[str, dict[tuple[str, str], int]] = {mode: {} for mode in MODES}
        self._told: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.seen: Counter[str] = Counter()
        Polled.states, Streamed.states = States(), States()
        self._watchers = [*map(self._polled, self._names), *map(self._streamed, self._names)]
        self._running = self._triggerer()
        self._calm = False

    def missing(self, mode: str) -> list[tuple[str, str]]:
        """The records of which the windows of a mode have not brought the last version.

        :param mode: ``poll`` or ``events``.
        """
        brought = self._brought[mode]
        return [record for record, version in self.written.items() if brought.get(record, 0) < version]

    async def run(self, writes: int) -> None:
        """Write, let things go wrong, and read what the watchers say.

        :param writes: how many.
        """
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * len(self._watchers)))
        self._running.start(*self._watchers)
        await self._running.until(lambda: all(self._has_a_place(each) for each in self._watchers), 60)
        breaking = asyncio.create_task(self._break())
        extracts = [self._extract(mode, name) for mode in MODES for name in self._names]
        work = [asyncio.create_task(each) for each in (self._restart(), *extracts)]
        try:
            while self.seen["writes"] < writes:
                self._write()
                await asyncio.sleep(self._random.uniform(0, 2 * self._pace))
            self._calm = True
            await breaking
            await self._mend()
            deadline = asyncio.get_running_loop().time() + 90
            while any(self.missing(mode) for mode in MODES) and asyncio.get_running_loop().time() < deadline:
                for each in work:
                    if each.done():
                        each.result()
                await asyncio.sleep(0.2)
        finally:
            for each in (breaking, *work):
                each.cancel()
            await asyncio.gather(breaking, *work, return_exceptions=True)
            await self._running.stop()

    # -- what is written -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        name, kind = self._random.choice(self._names), self._random.choice(_WRITES)
        records = self._records[name]
        fit = [record for record, state in records.items() if state.deleted == (kind == "undelete")]
        stamp = self._late()
        if kind == "insert" or not fit:
            (record,) = self._org.insert(name, [{"Version__c": 1, **stamp}])
            records[record] = _Record(False, self._org.now())
        else:
            record = self._random.choice(fit)
            state = records[record]
            # A record is never stamped as it was: its transactions come one after another.
            if stamp and stamp["SystemModstamp"] <= state.stamped:
                stamp = {}
            deleted = {} if kind == "update" else {"IsDeleted": kind == "delete"}
            state.deleted = deleted.get("IsDeleted", state.deleted)
            self._org.update(name, record, {"Version__c": self.written[name, record] + 1, **deleted, **stamp})
        records[record].stamped = stamp.get("SystemModstamp", self._org.now())
        self.written[name, record] = self.written.get((name, record), 0) + 1
        self.seen["writes"] += 1
        self.seen["late commits"] += bool(stamp)

    def _late(self) -> dict[str, Any]:
        if self._random.random() < 0.8:
            return {}
        back = timedelta(seconds=self._random.randint(1, LATE))
        return {"SystemModstamp": self._org.now().replace(microsecond=0) - back}

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    async def _break(self) -> None:
        faults: dict[str, Callable[[], Awaitable[None]]] = {
            "dropped": self._drop,
            "closed in order": self._close,
            "silent": self._be_silent,
            "burst": self._burst,
            "503": self._refuse,
            "reset": self._reset,
            "session expired": self._expire_sessions,
            "token revoked": self._revoke,
            "replay id expired": self._expire,
            "replay id corrupted": self._corrupt,
            "gap events": self._gaps,
            "overflow event": self._overflow,
            "event not stored": self._forget,
            "state store fails": self._fail_states,
            "triggerer killed": self._kill,
        }
        due: list[str] = []
        while not self._calm:
            due = due or self._random.sample(list(faults), len(faults))
            await asyncio.sleep(self._random.uniform(0, 0.6))
            name = due.pop()
            await faults[name]()
            self.seen[name] += 1

    async def _drop(self) -> None:
        await asyncio.to_thread(self._bus.stop)
        await asyncio.sleep(self._random.uniform(0, 0.5))
        await asyncio.to_thread(self._bus.start)

    async def _close(self) -> None:
        self._bus.close_streams()

    async def _be_silent(self) -> None:
        self._bus.faults.silent = True
        await asyncio.sleep(self._random.uniform(0.5, 2))
        self._bus.faults.silent = False

    async def _burst(self) -> None:
        for _ in range(self._random.randint(20, 150)):
            self._write()

    async def _refuse(self) -> None:
        self._org.add_fault(Fault(path="*/composite", status=503, times=self._random.randint(1, 4)))

    async def _reset(self) -> None:
        self._org.add_fault(Fault(path="*/composite", reset=True, times=self._random.randint(1, 4)))

    async def _expire_sessions(self) -> None:
        self._org.expire_sessions()

    async def _revoke(self) -> None:
        self._org._services.sessions.revoke(self._org.issue_session())

    async def _expire(self) -> None:
        await asyncio.to_thread(self._bus.stop)
        await asyncio.sleep(self._random.uniform(0, 0.5))
        self._bus.bus.expire()
        await asyncio.to_thread(self._bus.start)

    async def _corrupt(self) -> None:
        self._bus.faults.corrupted = True
        self._bus.close_streams()
        await asyncio.sleep(self._random.uniform(0, 0.7))
        self._bus.faults.corrupted = False

    async def _gaps(self) -> None:
        self._bus.bus.publish_gaps(True)
        await asyncio.sleep(self._random.uniform(0, 0.5))
        self._bus.bus.publish_gaps(False)

    async def _overflow(self) -> None:
        self._bus.bus.gap(self._random.choice(self._names), "GAP_OVERFLOW", [])

    async def _forget(self) -> None:
        self._running.stores = False
        await asyncio.sleep(self._random.uniform(0, 2.5))
        self._running.stores = True

    async def _fail_states(self) -> None:
        Polled.states.fails = Streamed.states.fails = self._random.randint(1, 4)

    async def _kill(self) -> None:
        await self._running.kill()
        await asyncio.sleep(self._random.uniform(0, 0.3))
        self._running = self._triggerer()
        self._running.start(*self._watchers)

    async def _mend(self) -> None:
        """What was broken when the last write was done works again."""
        self._org.clear_faults()
        self._bus.faults.silent = self._bus.faults.corrupted = False
        self._bus.bus.publish_gaps(False)
        self._running.stores = True
        await asyncio.to_thread(self._bus.stop)
        await asyncio.to_thread(self._bus.start)

    # -- the watchers and the DAGs that they start ---------------------------------------------------------------------

    def _triggerer(self) -> Triggerer:
        made = Triggerer(2.0, on_stored=lambda event: self._told[event["kind"], event["sobject"]].append(event))
        made.delay = 0.15
        return made

    async def _restart(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.seen["watchers started again"] += self._running.start_ended(*self._watchers)

    async def _extract(self, mode: str, name: str) -> None:
        """Read the window of all events of an object that have come since, as the runs of a DAG do."""
        while True:
            told = self._told.pop((mode, name), [])
            if told:
                self.seen[f"events ({mode})"] += len(told)
                self.seen[f"windows with a gap ({mode})"] += any(each["gap"] for each in told)
                window = changed_window({"asset": [SimpleNamespace(extra={"payload": each}) for each in told]})
                for record, version in await self._rows(mode, name, window):
                    known = self._brought[mode].get((name, record), 0)
                    self._brought[mode][name, record] = max(known, version)
                self.seen[f"extracts ({mode})"] += 1
            await asyncio.sleep(0.05)

    async def _rows(self, mode: str, name: str, window: tuple[str, str] | None) -> list[tuple[str, int]]:
        """Extract a window, again and again where a fault meets the extract too."""
        while True:
            try:
                return await asyncio.to_thread(self._extracted, mode, name, window)
            except AirflowException:
                self.seen["extracts that failed"] += 1

    def _extracted(self, mode: str, name: str, window: tuple[str, str] | None) -> list[tuple[str, int]]:
        folder = self._folder / f"{name}-{mode}"
        SalesforceExtractOperator(
            task_id="extract",
            sobject=name,
            fields=["Id", "Version__c"],
            window=window,
            include_deleted=True,
            file_format="csv",
            output_path=folder.as_uri(),
            deferrable=False,
            commit_lag=0,
            poll_interval=0.05,
        ).execute({})
        found = []
        for file in folder.glob("*.csv"):
            with file.open(encoding="utf-8", newline="") as rows:
                found += [(row["Id"], int(float(row["Version__c"]))) for row in csv.DictReader(rows)]
        shutil.rmtree(folder)
        return found

    def _has_a_place(self, watcher: Any) -> bool:
        stored = next((v for (name, _), v in watcher.states.values.items() if name == watcher.asset_name), None)
        return bool(stored) and stored.get("replay_id") != ""

    def _polled(self, name: str) -> Polled:
        return Polled(
            asset_name=f"{name} poll", sobject=name, poll_interval=0.5, overlap=LATE + 2, include_deleted=True
        )

    def _streamed(self, name: str) -> Streamed:
        topic = f"/data/{name.removesuffix('c')}ChangeEvent"
        return Streamed(asset_name=f"{name} events", sobject=name, topic=topic)
