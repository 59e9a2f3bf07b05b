"""What the overview shows: each object of each org, with its last run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.tasks.addresses import report_path
from airflow_provider_sfjwt.tasks.report.task_report import TaskReport
from airflow_provider_sfjwt.ui import wording
from airflow_provider_sfjwt.ui.airflow_internals import Place, Stored
from airflow_provider_sfjwt.ui.run_page import read_report
from airflow_provider_sfjwt.ui.verdicts import Verdict, verdict_on

_ORDER = ("bad", "warn", "good")
#: How the operator's direction is called.
_DIRECTIONS = {"extract": "out of Salesforce", "query": "out of Salesforce", "load": "into Salesforce"}


@dataclass(frozen=True)
class Line:
    """A task's last run over one object.

    :param age: how old the newest row can be by now: from the end of the window until now; or unknown.
    """

    verdict: Verdict
    sobject: str
    direction: str
    dag_id: str
    task_id: str
    instances: str
    href: str
    ended: str
    rows: str
    age: str
    seconds: str
    api_calls: str


@dataclass(frozen=True)
class Org:
    """The objects of one org.

    :param api_calls_left: as the newest report has it.
    """

    host: str
    api_calls_left: str
    lines: Sequence[Line]
    summary: str


def overview_page(reports: Sequence[Stored], base: str, now: datetime) -> dict[str, Any]:
    """What the template of the overview needs.

    :param reports: the newest first.
    :param base: the path of Airflow's UI.
    :param now: for the age of what was extracted.
    """
    by_org: dict[str, dict[tuple[str, ...], list[tuple[Place, TaskReport]]]] = defaultdict(dict)
    hosts: dict[str, str] = {}
    for stored in reports:
        if (report := read_report(stored)) is None:
            continue
        if report.host:
            hosts.setdefault(report.conn_id, report.host)
        org = report.host or hosts.get(report.conn_id) or report.conn_id
        key = ((report.sobject or "").lower(), stored.place.dag_id, stored.place.task_id)
        last = by_org[org].setdefault(key, [])
        if not last or last[0][0].run_id == stored.place.run_id:
            last.append((stored.place, report))
    orgs = [_org(host, list(runs.values()), base, now) for host, runs in sorted(by_org.items())]
    return {"orgs": orgs, "at": wording.moment(now.isoformat())}


def _org(host: str, runs: list[list[tuple[Place, TaskReport]]], base: str, now: datetime) -> Org:
    lines = [_line(last, base, now) for last in runs]
    lines.sort(key=lambda line: (_ORDER.index(line.verdict.state), line.sobject.lower(), line.dag_id, line.task_id))
    newest = max(
        (report for last in runs for _, report in last if report.api_calls_left is not None),
        key=lambda report: report.ended_at,
        default=None,
    )
    words = {"bad": "failed", "warn": "to look at", "good": "complete"}
    counts = [(sum(line.verdict.state == state for line in lines), words[state]) for state in _ORDER]
    summary = ", ".join(f"{count} {word}" for count, word in counts if count)
    left = ""
    if newest is not None:
        allowed = f" of {wording.number(newest.api_calls_allowed)}" if newest.api_calls_allowed else ""
        left = f"{wording.number(newest.api_calls_left)}{allowed} API calls left"
    return Org(host, left, lines, summary)


def _line(last: list[tuple[Place, TaskReport]], base: str, now: datetime) -> Line:
    """The last run of a task; of a mapped one, all its instances together, and the worst of their verdicts."""
    verdicts = [verdict_on(report) for _, report in last]
    worst = min(range(len(last)), key=lambda n: _ORDER.index(verdicts[n].state))
    place, report = last[worst]
    ends = [end for _, each in last if each.window and (end := wording.parsed(each.window[1])) is not None]
    return Line(
        verdict=verdicts[worst],
        sobject=report.sobject or "(query)",
        direction=_DIRECTIONS.get(report.kind, report.kind),
        dag_id=place.dag_id,
        task_id=place.task_id,
        instances=f"{len(last)} instances" if len(last) > 1 else "",
        href=base + report_path(*place),
        ended=max(wording.moment(each.ended_at) for _, each in last),
        rows=wording.number(_sum([each.rows for _, each in last])),
        age=wording.duration((now - min(ends)).total_seconds() if ends else None),
        seconds=wording.duration(max((each.seconds or 0.0 for _, each in last), default=None)),
        api_calls=wording.number(_sum([each.api_calls for _, each in last])),
    )


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
