"""1,000 triggers in one triggerer: when each fires, and what the waiting takes."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.deferred_tasks import DAG_FILE, DAG_ID, job_id
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, finished, interleaved
from tests.benchmarks.served import ROOT, PageServer
from tests.local_airflow.airflow_home import AirflowHome
from tests.local_airflow.processes import ChildProcess, free_port, poll_until, stop_all

TRIGGERS, POLL_INTERVAL = 1000, 30.0
#: Seconds over which the jobs end, beginning so long after the last trigger has begun to wait.
_SPREAD, _BEFORE = 60.0, 10.0
_NEVER = 1e12


@dataclass
class Triggerer:
    """A running triggerer.

    :param home: its Airflow.
    :param process: the supervisor.
    :param events: the file of the triggers' notes.
    """

    home: AirflowHome
    process: ChildProcess
    events: Path
    peak_bytes: int = field(default=0)

    def cpu_seconds(self) -> float:
        """Of the supervisor and of the process with the event loop."""
        return sum(sum(each.cpu_times()[:2]) for each in self.process.members())

    def idle(self) -> bool:
        """Whether it has come up: the supervisor and the process of the event loop are there, and do nothing."""
        before, members = self.cpu_seconds(), len(self.process.members())
        time.sleep(1)
        return members >= 2 and self.cpu_seconds() - before < 0.1

    def look(self) -> int:
        """Memory of both now, in bytes; remembers the most."""
        now = sum(each.memory_info().rss for each in self.process.members())
        self.peak_bytes = max(self.peak_bytes, now)
        return now

    def notes(self, *kinds: str) -> dict[str, float]:
        """Times by job. :param kinds: of the notes."""
        if not self.events.exists():
            return {}
        lines = (line.split() for line in self.events.read_text(encoding="ascii").splitlines())
        return {job: float(moment) for kind, job, moment in lines if kind in kinds}

    def collections(self) -> int:
        """How often collecting garbage took long since the first trigger was there."""
        first = min(self.notes("waiting").values())
        return sum(moment > first for moment in self.notes("collected").values())

    def resumable(self) -> int:
        """How many tasks their events have made ready to go on."""
        with sqlite3.connect(f"file:{self.home.database}?mode=ro", uri=True, timeout=30) as database:
            query = "SELECT COUNT(*) FROM task_instance WHERE dag_id = ? AND state = 'scheduled'"
            return int(database.execute(query, (DAG_ID,)).fetchone()[0])

    def complaints(self) -> int:
        """How often Airflow found its event loop blocked."""
        return self.process.log.read_text(encoding="utf-8", errors="replace").count("thread was blocked")


def measure(server: PageServer, runs: int) -> Section:
    """Several runs. :param server: that knows the jobs. :param runs: how many."""
    name = f"{TRIGGERS:,} triggers"
    sleeping = _sleeping(server)
    samples = interleaved({name: lambda: _once(server)}, runs)[name]
    section = Section(
        f"{TRIGGERS:,} triggers in one triggerer",
        [
            f"`poll_interval={POLL_INTERVAL:.0f}`. A real `airflow triggerer` with its metadata in SQLite, task instances "
            "inserted as deferred, https to the page server, which lets the jobs end one after another within "
            f"{_SPREAD:.0f} s. The delay is from the job's end to the trigger's event. CPU and memory are those of the "
            "triggerer's two processes. Beside them, once: as many triggers of a class derived from ours that only sleep. "
            "That is Airflow's own share. Airflow warns of a loop that was blocked for 0.1 s: when it takes up the triggers, "
            "whatever they do, and when Python collects the garbage of a process of this size.",
        ],
        ("", "median (min – max)", "only sleeping"),
    )
    rows: list[tuple[str, str, float, int]] = [
        ("delay of an event, 50th percentile, s", "p50", 1, 1),
        ("delay of an event, 99th percentile, s", "p99", 1, 1),
        ("the longest delay, s", "longest", 1, 1),
        ("last event to last task ready to go on, s", "handled_after", 1, 1),
        ("logins", "logins", 1, 0),
        ("polls", "polls", 1, 0),
        ("“blocked” warnings", "blocked", 1, 0),
        ("Python's collections of garbage that took over 0.1 s", "collections", 1, 0),
        ("CPU to take all triggers up, s", "begin_cpu_seconds", 1, 1),
        ("CPU while they wait and fire, s a minute", "cpu_per_minute", 1, 1),
        ("memory without triggers, MB", "idle_bytes", MEGABYTE, 0),
        ("peak memory, MB", "peak_bytes", MEGABYTE, 0),
    ]
    section.rows = [
        (
            title,
            Figures.of(samples, key, scale).text(digits),
            f"{sleeping[key] / scale:,.{digits}f}" if key in sleeping else "",
        )
        for title, key, scale, digits in rows
    ]
    worst = {key: max(sample[key] for sample in samples) for key in ("p99", "logins", "blocked")}
    limit = POLL_INTERVAL + 1
    section.verdicts = [
        Verdict("no “blocked” warning in any run", f"{worst['blocked']:.0f} at most", worst["blocked"] == 0),
        Verdict(f"99 % of events within {limit:.0f} s in every run", f"{worst['p99']:.1f} s", worst["p99"] <= limit),
        Verdict("logins ≤ 2 in every run", f"{worst['logins']:.0f} at most", worst["logins"] <= 2),
    ]
    return section


def _once(server: PageServer) -> Sample:
    jobs = [job_id(number) for number in range(TRIGGERS)]
    server.configure(complete_at=dict.fromkeys(jobs, _NEVER))
    with _triggerer(server) as triggerer:
        taken_up = _take_up(triggerer)
        began, begun_cpu = time.monotonic(), triggerer.cpu_seconds()
        earlier = server.counted()["counts"]
        start = time.time() + _BEFORE
        complete_at = {job: start + _SPREAD * place / TRIGGERS for place, job in enumerate(jobs)}
        server.configure(complete_at=complete_at)
        seconds = _BEFORE + _SPREAD + 3 * POLL_INTERVAL
        _wait(triggerer, lambda: len(triggerer.notes("ended", "error", "timeout")) == TRIGGERS, seconds)
        minutes, waited_cpu = (time.monotonic() - began) / 60, triggerer.cpu_seconds() - begun_cpu
        _wait(triggerer, lambda: triggerer.resumable() == TRIGGERS, 120)
        handled = time.time()
        fired, counts = triggerer.notes("ended"), server.counted()["counts"]
        delays = sorted(fired[job] - complete_at[job] for job in jobs)
        return {
            "p50": delays[TRIGGERS // 2],
            "p99": delays[int(TRIGGERS * 0.99) - 1],
            "longest": delays[-1],
            "handled_after": handled - max(fired.values()),
            "logins": earlier.get("token", 0) + counts.get("token", 0),
            "polls": earlier.get("poll", 0) + counts.get("poll", 0),
            "blocked": triggerer.complaints(),
            "collections": triggerer.collections(),
            "cpu_per_minute": waited_cpu / minutes,
            "peak_bytes": triggerer.peak_bytes,
            **taken_up,
        }


def _sleeping(server: PageServer) -> Sample:
    with _triggerer(server) as triggerer:
        taken_up = _take_up(triggerer, "--sleeping")
        began, begun_cpu = time.monotonic(), triggerer.cpu_seconds()
        _wait(triggerer, lambda: time.monotonic() - began > _BEFORE + _SPREAD, 2 * (_BEFORE + _SPREAD))
        minutes, waited_cpu = (time.monotonic() - began) / 60, triggerer.cpu_seconds() - begun_cpu
        blocked = triggerer.complaints()
        return {
            "blocked": blocked,
            "collections": triggerer.collections(),
            "cpu_per_minute": waited_cpu / minutes,
            "peak_bytes": triggerer.peak_bytes,
            **taken_up,
        }


def _take_up(triggerer: Triggerer, *options: str) -> Sample:
    """Let it take up all triggers."""
    idle_bytes, idle_cpu = triggerer.look(), triggerer.cpu_seconds()
    count = (str(TRIGGERS), str(POLL_INTERVAL))
    finished([sys.executable, "-m", "tests.benchmarks.deferred_tasks", *count, *options], triggerer.home.env)
    _wait(triggerer, lambda: len(triggerer.notes("waiting")) == TRIGGERS, 300)
    return {"idle_bytes": idle_bytes, "begin_cpu_seconds": triggerer.cpu_seconds() - idle_cpu}


@contextmanager
def _triggerer(server: PageServer) -> Iterator[Triggerer]:
    folder = server.scratch / "triggerer"
    shutil.rmtree(folder, ignore_errors=True)
    dags, events = folder / "dags", folder / "events"
    dags.mkdir(parents=True)
    (dags / "waiting.py").write_text(DAG_FILE, encoding="utf-8")
    env: dict[str, Any] = {
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": server.connection("https"),
        "AIRFLOW__TRIGGERER__CAPACITY": str(TRIGGERS + 1),
        "BENCH_EVENTS": str(events),
        "PYTHONPATH": str(ROOT),
    }
    home = AirflowHome(folder / "home", [dags], free_port(), env, templates=server.scratch)
    home.reset()
    home.cli("dags", "reserialize")
    home.cli("dags", "trigger", DAG_ID)
    child = ChildProcess("triggerer", home.command("triggerer", "--skip-serve-logs"), env=home.env, log=folder / "log")
    triggerer = Triggerer(home, child, events)
    try:
        _wait(triggerer, triggerer.idle, 120)
        yield triggerer
    finally:
        stop_all([child])


def _wait(triggerer: Triggerer, condition: Any, seconds: float) -> None:
    def look() -> bool:
        triggerer.process.check()
        with suppress(psutil.NoSuchProcess):  # a helper of Airflow's own that has just ended
            triggerer.look()
        return bool(condition())

    if not poll_until(look, seconds, interval=0.5):
        raise TimeoutError(f"the triggerer did not come so far in {seconds:.0f} s; see {triggerer.process.log}")
