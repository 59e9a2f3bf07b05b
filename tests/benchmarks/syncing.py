"""Many objects in step: what a run takes, in one task, in a group, and mapped."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, fresh, interleaved
from tests.benchmarks.served import PageServer
from tests.benchmarks.sync_once import DAGS
from tests.local_airflow.airflow_home import AirflowHome

#: Seconds that each call waits, as a network and Salesforce would take.
LATENCY = 0.05
_FIELDS = 12
_ROWS, _CHANGED = 20, 5


@dataclass
class Stage:
    """A simulated org with objects, and an Airflow home.

    :param org: the org.
    :param folder: for all that is written.
    :param objects: their names.
    :param env: of measured processes.
    """

    org: SimulatedOrg
    folder: Path
    objects: list[str]
    env: dict[str, str]
    _primed: set[str] = field(default_factory=set)

    def sample(self, way: str, changed: int) -> Sample:
        """Sync once, after a first run and after rows have changed. :param way: of ``sync_once``. :param changed: rows."""
        if way not in self._primed:
            self._primed.add(way)
            self._once(way)
        self.org.clock_offset += 2
        for name in self.objects if changed else []:
            for row in self.org.rows(name)[:changed]:
                self.org.update(name, row["Id"], {"Name": f"changed at {self.org.clock_offset}"})
        self.org.clock_offset += 2
        calls, logins = self.org.api_calls, self.org.logins
        measured = self._once(way)
        return measured | {"calls": self.org.api_calls - calls, "logins": self.org.logins - logins}

    def _once(self, way: str) -> Sample:
        command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.sync_once", way]
        root = (self.folder / way).as_uri()
        return fresh(command, self.env | {"BENCH_ROOT": root, "BENCH_OBJECTS": " ".join(self.objects)})


@contextmanager
def staged(count: int) -> Iterator[Stage]:
    """An org with objects of 20 rows each. :param count: how many objects."""
    with tempfile.TemporaryDirectory() as text, SimulatedOrg(records={}, bulk_polls=1) as org:
        folder, objects = Path(text), [f"Thing{number}__c" for number in range(count)]
        for name in objects:
            org.define_object(name, [Field(f"Text{number}__c", "string", length=80) for number in range(_FIELDS)])
            org.insert(name, [{"Name": f"row {row}", "Text0__c": "text"} for row in range(_ROWS)])
        org.clock_offset = 100  # the objects are not new, or each would be described again
        home = AirflowHome(folder / "airflow", [DAGS], 0, {})
        home.reset()
        org.add_fault(Fault(path="/services/data/*", times=None, delay=LATENCY))
        env = {**os.environ, **home.env, "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json()}
        yield Stage(org, folder, objects, {**env, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"})


def measure(server: PageServer, runs: int) -> Section:
    """Objects with few changes, and quiet ones. :param server: unused. :param runs: of each variant."""
    many, quiet = (int(os.environ.get(name, default)) for name, default in (("SYNCED", 100), ("QUIET", 500)))
    section = Section(
        "Many objects in step",
        [
            f"{many} objects with {_CHANGED} changed rows each, and {quiet} to which nothing happened; 14 columns, and "
            f"{LATENCY * 1_000:.0f} ms until a call is answered. Each run is one after a first one. The group and the "
            "mapped operators run by `dag.test()`: one process that signs in once, one task after another, without the "
            "scheduler and the processes of its workers, which come on top of each task instance, as its sign-in does."
        ],
        ("run", "objects", "calls", "logins", "CPU s", "seconds", "peak MB"),
    )
    with staged(many) as stage:
        ways = {f"{way}, {_CHANGED} changed rows each": way for way in ("hook", "group", "mapped")}
        samples = interleaved({name: lambda way=way: stage.sample(way, _CHANGED) for name, way in ways.items()}, runs)
    with staged(quiet) as stage:
        samples |= interleaved({"hook, quiet": lambda: stage.sample("hook", 0)}, runs)
    for name, found in samples.items():
        section.rows.append(_row(name, quiet if "quiet" in name else many, found))
    changed, still = samples[f"hook, {_CHANGED} changed rows each"], samples["hook, quiet"]
    section.verdicts += [
        _verdict(changed, "calls", 2 * many, "calls for an object and run", many),
        _verdict(changed, "logins", 4, "logins"),
        _verdict(changed, "seconds", 10, "seconds"),
        _verdict(changed, "peak_bytes", 250 * MEGABYTE, "MB", MEGABYTE),
        _verdict(still, "calls", quiet + 50, f"calls for {quiet} quiet objects"),
        _verdict(still, "seconds", 30, f"seconds for {quiet} quiet objects"),
    ]
    return section


def _row(name: str, objects: int, found: list[Sample]) -> tuple[str, ...]:
    def shown(key: str, scale: float = 1.0, digits: int = 0) -> str:
        return Figures.of(found, key, scale).text(digits)

    counted = shown("calls"), shown("logins")
    return (
        name,
        str(objects),
        *counted,
        shown("cpu_seconds", 1, 2),
        shown("seconds", 1, 2),
        shown("peak_bytes", MEGABYTE),
    )


def _verdict(found: list[Sample], key: str, most: float, what: str, scale: float = 1.0) -> Verdict:
    median = Figures.of(found, key, scale).median
    return Verdict(f"≤ {most / scale:,.0f} {what}", f"{median:,.2f}", median <= most / scale)
