"""Watchers that are killed at any moment in a real Airflow: DAG runs cover each change that was made."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.repository import REPOSITORY
from tests.system import org_process
from tests.system.mortal_watchers import CONN_ID, FOLDER, POLLED, STREAMED
from tests.system.org_process import OrgProcess
from tests.tables import postgres_server

pytestmark = [
    pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams"),
    pytest.mark.soak,
]
MODES = {"poll": POLLED, "events": STREAMED}
#: Seconds for which a triggerer that is dead may look alive.
LOOKS_ALIVE = 10


class Kills:
    """A running Airflow whose watchers are killed.

    :param airflow: the Airflow.
    :param org: that is watched.
    :param folder: where the points are armed, and the runs write down what started them.
    """

    def __init__(self, airflow: LocalAirflow, org: OrgProcess, folder: Path) -> None:
        self.airflow, self.org, self._folder = airflow, org, folder
        self._scenes = 0
        self._two = False

    def pids(self, name: str = "triggerer") -> list[int]:
        """Of a component and what it started, the supervisor first."""
        child = self.airflow.child(name)
        return sorted((each.pid for each in child.members()), key=lambda pid: pid != child.pid)

    def signal(self, number: signal.Signals, name: str = "triggerer") -> None:
        for pid in self.pids(name):
            os.kill(pid, number)

    def at(self, point: str) -> None:
        """Let the triggerer die at a point, and start it again."""
        (self._folder / point).touch()
        self.again()

    def two_triggerers(self) -> None:
        """See that there are two."""
        if not self._two:
            self.airflow.start_another("triggerer")
            time.sleep(20)
        self._two = True

    def again(self, name: str = "triggerer") -> None:
        """Wait until a triggerer is dead, and start it again."""
        assert poll_until(lambda: not self.airflow.child(name).members(), 120)
        self.airflow.restart(name)

    @property
    def prefix(self) -> str:
        """Of the names of all records of this scene."""
        return f"Scene {self._scenes}."

    def scene(self, act: Callable[[Kills], None]) -> dict[str, tuple[int, int, int]]:
        """Write all the while, let something happen, and wait until all is covered.

        :return: by mode, how many changes were made, how many no DAG run covers, and how often one was named again.
        """
        self._scenes += 1
        begun = time.time()
        committed: dict[str, float] = {}
        with self._writing(committed):
            time.sleep(6)
            act(self)
            time.sleep(6)
        made = self.org.do(org_process.written, self.prefix)
        poll_until(lambda: not any(self._missing(mode, made, committed) for mode in MODES), 150, interval=1)
        time.sleep(7)  # what comes once more
        return {
            mode: (len(made[sobject]), len(self._missing(mode, made, committed)), self._again(mode, begun))
            for mode, sobject in MODES.items()
        }

    @contextmanager
    def _writing(self, committed: dict[str, float]) -> Iterator[None]:
        """Write twice a second. Every third record is committed late."""
        end = threading.Event()

        def work() -> None:
            number = 0
            while not end.wait(0.5):
                number += 1
                name = f"{self.prefix}{number}"
                committed[name] = time.time()
                try:
                    committed[name] = self.org.do(org_process.write, name, number % 3 == 0)
                except EOFError:  # it may have been written
                    time.sleep(0.2)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(60)

    def _runs(self, mode: str) -> list[dict[str, Any]]:
        """What each run read, and when."""
        return [json.loads(file.read_text()) for file in self._folder.glob(f"{mode}-*.json")]

    def _missing(self, mode: str, made: Any, committed: dict[str, float]) -> list[str]:
        """The names of records that no run covers: it begins after the commit, and its window has the stamp."""
        windows = [(each["at"], *map(_moment, each["window"])) for each in self._runs(mode)]
        return [
            name
            for name, stamp in made[MODES[mode]].values()
            if not any(at >= committed.get(name, 0) and since <= stamp < until for at, since, until in windows)
        ]

    def _again(self, mode: str, begun: float) -> int:
        named = Counter(
            record
            for run in self._runs(mode)
            if run["at"] > begun
            for records in run["record_ids"]
            for record in records or ()
        )
        return sum(count - 1 for count in named.values())


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture(params=["SQLite", "PostgreSQL"], scope="module")
def database(request: pytest.FixtureRequest) -> str:
    """Of Airflow itself."""
    return str(request.param)


@pytest.fixture(scope="module")
def kills(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kills]:
    """An Airflow of its own, both of whose watchers have looked at the org."""
    folder = tmp_path_factory.mktemp("killed")
    server: Any = postgres_server.running() if database == "PostgreSQL" else nullcontext(None)
    with server as port:
        env = {
            FOLDER: str(folder),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(LOOKS_ALIVE),
        }
        if port is not None:
            address = f"postgresql+psycopg2://{postgres_server.USER}@127.0.0.1:{port}/postgres"
            env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = address
        org = OrgProcess(folder)
        dags = [Path(__file__).parent / "killed_dags"]
        with LocalAirflow(tmp_path_factory.mktemp("home"), dags, env=env, upgrade=port is not None) as airflow:
            airflow.add_connection(CONN_ID, org.connection)
            for mode in MODES:
                airflow.unpause(f"killed_{mode}")
            made = Kills(airflow, org, folder)
            _wait_for_the_first_events(made)
            yield made
        org.kill()


def _wait_for_the_first_events(kills: Kills) -> None:
    """Both watchers have a mark when each has fired."""

    def both() -> bool:
        kills.org.do(org_process.write, "First", False)
        return all(kills._runs(mode) for mode in MODES)

    assert poll_until(both, 240, interval=2)


def _in_a_poll(kills: Kills) -> None:
    kills.org.do(org_process.kill_in_a_poll, kills.pids())
    kills.again()


def _in_a_reconnect(kills: Kills) -> None:
    kills.org.do(org_process.kill_in_a_reconnect, kills.pids(), kills.prefix)
    kills.again()


def _of_the_triggerer(kills: Kills) -> None:
    kills.signal(signal.SIGKILL)
    kills.again()


def _of_the_server(kills: Kills) -> None:
    kills.org.kill()
    time.sleep(5)
    kills.org.start()


def _of_one_of_two(kills: Kills) -> None:
    """The other one takes over."""
    kills.two_triggerers()
    kills.signal(signal.SIGKILL)
    time.sleep(LOOKS_ALIVE + 10)
    kills.again()


def _one_of_two_stands_still(kills: Kills) -> None:
    """The other one takes over, and the first goes on where it stood."""
    kills.two_triggerers()
    for name in ("triggerer", "triggerer 2"):  # one of them has the watchers
        kills.signal(signal.SIGSTOP, name)
        time.sleep(LOOKS_ALIVE + 15)
        kills.signal(signal.SIGCONT, name)
        time.sleep(10)


EVENTS: dict[str, Callable[[Kills], None]] = {
    "at the yield (poll)": lambda kills: kills.at("yielded poll"),
    "at the yield (events)": lambda kills: kills.at("yielded events"),
    "after persist (poll)": lambda kills: kills.at("persisted poll"),
    "after persist (events)": lambda kills: kills.at("persisted events"),
    "in a poll": _in_a_poll,
    "in a reconnect": _in_a_reconnect,
    "of the triggerer": _of_the_triggerer,
    "of the server": _of_the_server,
    "of one of two triggerers": _of_one_of_two,
    "SIGSTOP, SIGCONT of one of two": _one_of_two_stands_still,
}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("event", EVENTS)
def test_runs_cover_each_change_whatever_is_killed(kills: Kills, database: str, event: str, said: list[str]) -> None:
    for mode, (made, missing, duplicates) in kills.scene(EVENTS[event]).items():
        said.append(
            f"Kill table, watchers {database:<10} {event:<30} {mode:<6} "
            f"made {made}, covered {made - missing}, missing {missing}, duplicates {duplicates}"
        )
        print(said[-1], flush=True)
        assert made > 20
        assert missing == 0
