"""A DAG that starts when something changes: how soon, at what cost, and how fast events are read."""

from __future__ import annotations

import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, interleaved
from tests.benchmarks.served import ROOT, PageServer
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow

#: Objects that are watched in a real Airflow, seconds between two looks, and changes of each way.
POLLED, STREAMED, INTERVAL, CHANGES = 20, 5, 5, 40
_BACKLOG, _EVENTS = 3_000, 20_000
_COUNTS = (20, 200)
_CONN_ID = "salesforce_jwt_default"
DAG_FILE = f"""
from datetime import datetime, timezone
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow_provider_sfjwt.assets import salesforce_asset
from airflow_provider_sfjwt.sensors.query import SalesforceQuerySensor

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
watched = {{f"polled_{{n}}": salesforce_asset(f"Polled{{n}}__c", poll_interval={INTERVAL}) for n in range({POLLED})}}
watched |= {{f"streamed_{{n}}": salesforce_asset(f"Streamed{{n}}__c", mode="events") for n in range({STREAMED})}}
for dag_id, asset in watched.items():
    with DAG(dag_id, schedule=asset, start_date=START, catchup=False, max_active_runs=100):
        EmptyOperator(task_id="end")
with DAG("awaiting", schedule=None, start_date=START, max_active_runs=100, max_active_tasks=100):
    SalesforceQuerySensor(
        task_id="wait", soql="SELECT Id FROM Awaited__c WHERE Name = '{{{{ dag_run.conf['name'] }}}}'",
        poke_interval={INTERVAL}, timeout=3600, start_from_trigger=True,
    )
"""


def measure(server: PageServer, runs: int) -> Section:
    """How soon, in a real Airflow. :param server: unused. :param runs: how many."""
    changes = int(os.environ.get("CHANGES", CHANGES))
    samples = interleaved({"watching": lambda: _latencies(changes)}, runs)["watching"]
    section = Section(
        "From a change to a DAG run",
        [
            f"A real Airflow (API server, scheduler, DAG processor, triggerer, SQLite). {POLLED} objects are polled every "
            f"{INTERVAL} s, {STREAMED} have a stream each, and {changes} sensors look every {INTERVAL} s. {changes} changes of "
            "each way, 0.5 to 2 s apart. The time is from the write in the simulated org to the start of the DAG run that it "
            "caused; of a sensor, to the end of its task.",
        ],
        ("", "stored as an event, median, s", "p99", "DAG run, median, s", "p99"),
    )
    for title, way in {f"poll, every {INTERVAL} s": "polled", "events": "streamed", "sensor": "awaited"}.items():
        cells = [
            Figures.of(samples, key).text(1) if key in samples[0] else ""
            for key in (f"{way}_event_p50", f"{way}_event_p99", f"{way}_run_p50", f"{way}_run_p99")
        ]
        section.rows.append((title, *cells))
    soon = Figures.of(samples, "polled_run_p50").median
    calls = Figures.of(samples, "calls_per_look").median
    blocked = Figures.of(samples, "blocked").median
    section.words.append(
        f"Airflow said {blocked:.0f} times that the event loop of this triggerer was blocked, from its start to its end."
    )
    section.verdicts = [
        Verdict(
            f"median from a change to a DAG run ≤ interval + 3 s ({INTERVAL + 3} s)",
            f"{soon:.1f} s",
            soon <= INTERVAL + 3,
        ),
        Verdict("20 polled objects: 4 calls an interval", f"{calls:.2f}", calls <= 4.1),
    ]
    return section


def _latencies(changes: int) -> Sample:
    with _running() as (org, bus, airflow):
        polled = [f"Polled{number}__c" for number in range(POLLED)]
        streamed = [f"Streamed{number}__c" for number in range(STREAMED)]
        for name in ("polled", "streamed"):
            for number in range(POLLED if name == "polled" else STREAMED):
                airflow.unpause(f"{name}_{number}")
        names = [f"change {number}" for number in range(changes)]
        awaiting = {name: airflow.trigger("awaiting", conf={"name": name}) for name in names}
        _ready(org, bus, changes)
        looks, calls = _looks(org), org.api_calls - _queries(org)
        made = _changed(org, [polled[number % POLLED] for number in range(changes)])
        sample = _percentiles("polled", _seen(airflow, made))
        sample["calls_per_look"] = (org.api_calls - _queries(org) - calls) / ((_looks(org) - looks) / 4)
        sample |= _percentiles(
            "streamed", _seen(airflow, _changed(org, [streamed[n % STREAMED] for n in range(changes)]))
        )
        written = {}
        for name in names:
            written[name] = datetime.now(timezone.utc)
            org.insert("Awaited__c", [{"Name": name}])
            time.sleep(random.uniform(0.5, 2))
        ended = _ended(airflow, awaiting)
        sample |= _percentiles("awaited", [(None, _seconds(written[name], ended[name])) for name in names])
        log = (airflow.home.logs / "components" / "triggerer.log").read_text(encoding="utf-8", errors="replace")
        return sample | {"blocked": log.count("was blocked")}


@contextmanager
def _running() -> Iterator[tuple[SimulatedOrg, EventBusServer, LocalAirflow]]:
    """An Airflow with the DAGs, and their org."""
    with tempfile.TemporaryDirectory() as text, SimulatedOrg(records={}) as org:
        objects = [*(f"Polled{n}__c" for n in range(POLLED)), *(f"Streamed{n}__c" for n in range(STREAMED))]
        for name in (*objects, "Awaited__c"):
            org.define_object(name, [Field("Level__c", length=80)])
        bus = org.start_event_bus(*objects[POLLED:])
        dags = Path(text) / "dags"
        dags.mkdir()
        (dags / "watching.py").write_text(DAG_FILE, encoding="utf-8")
        env = {"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
        with LocalAirflow(Path(text) / "home", [dags], env=env) as airflow:
            airflow.add_connection(_CONN_ID, org.connection_json(pubsub_endpoint=bus.endpoint))
            yield org, bus, airflow


def _ready(org: SimulatedOrg, bus: EventBusServer, sensors: int) -> None:
    """Wait until everything is watched."""
    ready = poll_until(
        lambda: bus.streams == STREAMED and _looks(org) >= 12 and _queries(org) >= 2 * sensors, 600, interval=1
    )
    if not ready:
        raise TimeoutError("not everything is watched after 600 s")


def _looks(org: SimulatedOrg) -> int:
    return sum(request.path.endswith("/composite") for request in org.requests)


def _queries(org: SimulatedOrg) -> int:
    return sum(request.path.endswith("/query") for request in org.requests)


def _changed(org: SimulatedOrg, sobjects: list[str]) -> dict[str, datetime]:
    """Write a record of each object, one after another. :return: when, by its id."""
    made = {}
    for sobject in sobjects:
        moment = datetime.now(timezone.utc)
        (record,) = org.insert(sobject, [{"Name": "changed"}])
        made[record] = moment
        time.sleep(random.uniform(0.5, 2))
    return made


def _seen(airflow: LocalAirflow, made: Mapping[str, datetime]) -> list[tuple[float | None, float]]:
    """Seconds from each write to its event, and to the start of the run that it caused."""
    found: dict[str, tuple[float | None, float]] = {}

    def all_seen() -> bool:
        for event in _events(airflow):
            for record in event["extra"].get("payload", {}).get("record_ids") or ():
                started = [run["start_date"] for run in event["created_dagruns"] if run["start_date"]]
                if record in made and record not in found and started:
                    found[record] = (
                        _seconds(made[record], event["timestamp"]), _seconds(made[record], min(started)),
                    )  # fmt: skip
        return len(found) == len(made)

    if not poll_until(all_seen, 300, interval=1):
        raise TimeoutError(f"{len(found)} of {len(made)} changes started a run in 300 s")
    return list(found.values())


def _events(airflow: LocalAirflow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.api(
        "GET", "assets/events", params={"limit": "100", "order_by": "-timestamp"}
    )["asset_events"]
    return found


def _ended(airflow: LocalAirflow, runs: Mapping[str, str]) -> dict[str, str]:
    """When each sensor's task ended, by the name that it waited for."""
    ended: dict[str, str] = {}

    def all_ended() -> bool:
        for name, run in runs.items():
            if name not in ended:
                (task,) = airflow.tasks("awaiting", run)
                if task["state"] == "failed":
                    raise RuntimeError(f"the sensor of {run} failed:\n{airflow.task_log('awaiting', run, 'wait')}")
                if task["state"] == "success":
                    ended[name] = task["end_date"]
        return len(ended) == len(runs)

    if not poll_until(all_ended, 300, interval=1):
        raise TimeoutError(f"{len(ended)} of {len(runs)} sensors ended in 300 s")
    return ended


def _seconds(since: datetime, until: str) -> float:
    return (datetime.fromisoformat(until.replace("Z", "+00:00")) - since).total_seconds()


def _percentiles(way: str, seen: list[tuple[float | None, float]]) -> Sample:
    sample: Sample = {}
    for what, values in {"event": [event for event, _ in seen], "run": [run for _, run in seen]}.items():
        known = sorted(value for value in values if value is not None)
        if known:
            sample[f"{way}_{what}_p50"] = statistics.median(known)
            sample[f"{way}_{what}_p99"] = known[math.ceil(0.99 * len(known)) - 1]
    print(f"  {way}: {', '.join(f'{name} {value:.1f} s' for name, value in sample.items())}", flush=True)
    return sample
