"""A simulated org in a process of its own, which can be killed and started again where it was."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from tests.local_airflow.processes import free_port
from tests.processes import processes
from tests.system.mortal_watchers import POLLED, STREAMED

T = TypeVar("T")
ROWS: dict[str, dict[str, str]] = {POLLED: {}, STREAMED: {"Company": "Acme"}}
_LATE = timedelta(seconds=20)


def _serve(database: Path, key: str, port: int, bus_port: int, pipe: Any) -> None:
    with SimulatedOrg(port=port, database=str(database), records={POLLED: 3}, private_key=key) as org:
        bus = org.start_event_bus(STREAMED, port=bus_port)
        bus.faults.keep_alive = 2.0
        pipe.send(org.connection_json(pubsub_endpoint=bus.endpoint))
        while True:
            function, arguments = pipe.recv()
            pipe.send(function(org, bus, *arguments))


class OrgProcess:
    """The org.

    :param folder: for its records, which outlive it.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / "org.db"
        self._key = SimulatedOrg(records={}).private_key
        self._ports = free_port(), free_port()
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        """Start it, after a kill at the same addresses and with the records that it had."""
        context = processes()
        with self._lock:
            self._pipe, pipe = context.Pipe()
            arguments = (self._database, self._key, *self._ports, pipe)
            self._process = context.Process(target=_serve, args=arguments, daemon=True)
            self._process.start()
            pipe.close()
            #: The Airflow connection.
            self.connection: str = self._pipe.recv()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join(30)

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in the org's process.

        :param function: of a module; gets the org, its event bus and the arguments.
        :raises EOFError: where the org was killed meanwhile.
        """
        with self._lock:
            try:
                self._pipe.send((function, arguments))
                found: T = self._pipe.recv()
            except OSError as broken:
                raise EOFError from broken
            return found


def write(org: SimulatedOrg, bus: EventBusServer, name: str, late: bool) -> float:
    """Make a record of each object.

    :param name: of both.
    :param late: whether they are stamped before they are committed.
    :return: when both were committed.
    """
    stamp = {"SystemModstamp": org.now() - _LATE} if late else {}
    for sobject, fields in ROWS.items():
        org.insert(sobject, [{"LastName": name, **fields, **stamp}])
    return time.time()


def written(org: SimulatedOrg, bus: EventBusServer, prefix: str) -> dict[str, dict[str, tuple[str, float]]]:
    """By object and id, the name and the stamp of all records that were written with names of this beginning."""
    return {
        sobject: {
            row["Id"]: (row["LastName"], row["SystemModstamp"].timestamp())
            for row in org.rows(sobject)
            if str(row["LastName"]).startswith(prefix)
        }
        for sobject in ROWS
    }


def streams(org: SimulatedOrg, bus: EventBusServer) -> int:
    """How many streams are open."""
    return bus.streams


def kill_in_a_poll(org: SimulatedOrg, bus: EventBusServer, pids: list[int]) -> None:
    """Kill processes when the answer of the next look is on its way."""
    killed = threading.Event()

    def kill(body: bytes) -> bytes:
        _kill(pids)
        killed.set()
        return body

    org.add_fault(Fault(path="*/composite", edit_body=kill))
    assert killed.wait(60)


def kill_in_a_reconnect(org: SimulatedOrg, bus: EventBusServer, pids: list[int], prefix: str) -> None:
    """Close the stream, and kill processes when it is open again and nothing has come; write all the while."""
    bus.faults.silent = True
    write(org, bus, f"{prefix} before the close", False)
    opened = bus.opened
    bus.close_streams()
    write(org, bus, f"{prefix} while it is closed", True)
    deadline = time.monotonic() + 60
    while bus.opened == opened:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    write(org, bus, f"{prefix} while it is silent", False)
    _kill(pids)
    bus.faults.silent = False


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
