"""A triggerer that is killed at any point of an event's way: the next one fires what is missing."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.orgs import private_key, small_org
from tests.triggers.watching.killed_triggerer import OBJECT, begin, stored

__all__ = ["private_key", "small_org"]


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("mode", ["poll", "events"])
def test_what_changes_is_fired_whatever_the_triggerer_dies_of(org: SimulatedOrg, tmp_path: Path, mode: str) -> None:
    bus = org.start_event_bus(OBJECT)
    bus.faults.keep_alive = 0.1
    environment = {
        "AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY": "0.001",
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(pubsub_endpoint=bus.endpoint),
    }
    running = begin(environment, tmp_path, mode)
    state = tmp_path / "state"
    until(lambda: any('"replay_id": ""' not in each.read_text() for each in state.glob("[!.]*")))
    made = []

    def write() -> None:
        late = {"SystemModstamp": org.now() - timedelta(seconds=20)}
        made.extend(org.insert(OBJECT, [{"LastName": "In time"}, {"LastName": "Late", **late}]))

    def kill(body: bytes) -> bytes:
        os.kill(running.pid, signal.SIGKILL)
        return body

    for point in (f"yielded {mode}", f"persisted {mode}", "in a poll" if mode == "poll" else "in a reconnect"):
        if point == "in a poll":
            org.add_fault(Fault(path="*/composite", edit_body=kill))
            write()
        elif point == "in a reconnect":
            bus.faults.silent, opened = True, bus.opened
            bus.close_streams()
            write()
            until(lambda opened=opened: bus.opened > opened)
            kill(b"")
            bus.faults.silent = False
        else:
            (tmp_path / point).touch()
            write()
        running.join(30)
        assert running.exitcode == -signal.SIGKILL, point
        write()
        running = begin(environment, tmp_path, mode)
        until(lambda: {record for each in stored(tmp_path) for record in each["record_ids"]} >= set(made))
    running.kill()
    named = Counter(record for each in stored(tmp_path) for record in each["record_ids"])
    assert set(named) == set(made)
    # What was stored before the triggerer could note it comes twice, and nothing else.
    assert 1 <= sum(named.values()) - len(made) <= 2
