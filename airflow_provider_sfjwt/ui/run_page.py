"""What the page of one task instance shows: the report in words and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.tasks.addresses import report_path
from airflow_provider_sfjwt.tasks.report.task_report import TaskReport, UnreadableReportError
from airflow_provider_sfjwt.ui import charts, wording
from airflow_provider_sfjwt.ui.airflow_internals import Place, Stored
from airflow_provider_sfjwt.ui.row_errors import Meaning, meaning_of
from airflow_provider_sfjwt.ui.verdicts import Verdict, lost_rows, verdict_on

#: Parts that are shown at once; the others can be unfolded.
_PARTS_AT_ONCE = 8
#: What became of rows, in the order of the bar.
_OUTCOMES = ("succeeded", "inserted", "updated", "unchanged", "deleted", "failed", "unprocessed", "skipped")
#: How the paths of a report are called.
_PATHS = {
    "output_path": "Output folder",
    "receipt": "Receipt",
    "results_path": "Results folder",
    "results_table": "Results table",
    "staging_path": "Staging folder",
    "table": "Table",
    "table_uri": "Delta table",
}


@dataclass(frozen=True)
class Fact:
    """A figure of the run.

    :param label: what it is.
    :param value: in words.
    :param note: in small letters below it; or empty.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Plot:
    """One figure over the runs of a task.

    :param label: what it is.
    :param now: of the run that is shown.
    :param most: of all runs.
    :param columns: of the runs, the oldest first.
    """

    label: str
    now: str
    most: str
    columns: Sequence[charts.Column]


@dataclass(frozen=True)
class ErrorLine:
    """Rows with one error.

    :param share: of all faulty rows, in units of a chart's width.
    """

    code: str
    count: str
    fields: str
    meaning: Meaning
    share: float


def read_report(stored: Stored) -> TaskReport | None:
    """The report of a task instance, or None where it has none that can be read.

    :param stored: as it was found.
    """
    try:
        return TaskReport.from_json(stored.content)
    except UnreadableReportError:
        return None


def run_page(place: Place, report: TaskReport, runs: Sequence[Stored], base: str) -> dict[str, Any]:
    """What the template of a run needs.

    :param place: the task instance.
    :param report: its report.
    :param runs: the reports of the task's runs, the newest first.
    :param base: the path of Airflow's UI.
    """
    plots = _plots(place, runs, base)
    bars = charts.bars_over_time(report.parts)
    return {
        "report": report,
        "verdict": verdict_on(report),
        "facts": _facts(report),
        "asked": _asked(report),
        "outcomes": charts.stacked(report.counts, _OUTCOMES),
        "errors": _errors(report),
        "bars": bars[:_PARTS_AT_ONCE],
        "more_bars": bars[_PARTS_AT_ONCE:],
        "parts_last": wording.duration(_whole_time(report)),
        "rest": report.rest,
        "jobs": [(job.id, safe_link(job.url, report.host)) for job in report.jobs],
        "cut": [f"{name}: {wording.number(count)} more" for name, count in report.cut.items() if name != "parts"],
        "plots": plots if len(runs) > 1 else [],
        "shown_runs": len(runs),
    }


def safe_link(url: str, host: str) -> str:
    """A link that may be shown as one: https, on the org's own host.

    :param url: of the report.
    :param host: of the report, with its port where it has one.
    :return: empty for any other, which is shown as text.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme == "https" and host and parts.netloc.lower() == host.lower() else ""


def lag_of(report: TaskReport) -> float | None:
    """Seconds between the end of the window and the end of the run: how late its rows were.

    :param report: of the run.
    """
    end = wording.parsed(report.window[1]) if report.window else None
    ended = wording.parsed(report.ended_at)
    return None if end is None or ended is None else (ended - end).total_seconds()


def _facts(report: TaskReport) -> list[Fact]:
    facts = []
    if report.rows is not None:
        noun = "Rows loaded" if report.kind == "load" else "Rows"
        lost = f"{wording.number(lost_rows(report))} not loaded" if report.kind == "load" and lost_rows(report) else ""
        facts.append(Fact(noun, wording.number(report.rows), lost))
    rate = f"{wording.number(report.rows / report.seconds)} rows/s" if report.rows and report.seconds else ""
    facts.append(Fact("Took", wording.duration(report.seconds), rate))
    if report.bytes:
        count = len(report.parts) + report.cut.get("parts", 0)
        facts.append(Fact("Size", wording.size(report.bytes), f"in {wording.counted(count, 'part')}" if count else ""))
    if report.api_calls is not None:
        facts.append(Fact("API calls used", wording.number(report.api_calls)))
    if report.api_calls_left is not None:
        allowed = f"of {wording.number(report.api_calls_allowed)} in 24 h" if report.api_calls_allowed else ""
        facts.append(Fact("API calls left in the org", wording.number(report.api_calls_left), allowed))
    if (lag := lag_of(report)) is not None:
        facts.append(Fact("Lag", wording.duration(lag), "from the window's end to the end of the run"))
    return facts


def _asked(report: TaskReport) -> list[tuple[str, str]]:
    window = wording.span(*report.window) if report.window else ""
    transports = {"auto": "", "bulk": "Bulk API 2.0", "rest": "REST", "sql": "SQL"}
    lines = [
        ("Object", report.sobject or ""),
        ("Operation", report.operation),
        ("Window", window),
        ("Incremental", report.incremental),
        ("Over", transports.get(report.transport, report.transport)),
        ("Org", report.host),
        ("Connection", report.conn_id),
        ("Attempt", "" if report.attempt is None else str(report.attempt)),
        ("Ended", wording.moment(report.ended_at)),
        *((_PATHS.get(name, name), path) for name, path in report.paths.items()),
    ]
    return [(name, value) for name, value in lines if value]


def _errors(report: TaskReport) -> list[ErrorLine]:
    most = max((each.count for each in report.errors), default=0)
    return [
        ErrorLine(
            each.code,
            wording.counted(each.count, "row"),
            ", ".join(each.fields),
            meaning_of(each.code),
            round(each.count / most * charts.WIDTH, 1) if most > 0 else 0.0,
        )
        for each in report.errors
    ]


def _whole_time(report: TaskReport) -> float | None:
    ends = [part.began + part.seconds for part in report.parts if part.began is not None and part.seconds is not None]
    return max(ends, default=None)


def _plots(place: Place, runs: Sequence[Stored], base: str) -> list[Plot]:
    """Rows, seconds, lag and API calls, over the runs whose reports can be read."""
    known = [(stored.place, report) for stored in reversed(runs) if (report := read_report(stored)) is not None]
    verdicts = [verdict_on(report) for _, report in known]
    values = (
        ("Rows", wording.number, [None if each.rows is None else float(each.rows) for _, each in known]),
        ("Time", wording.duration, [each.seconds for _, each in known]),
        ("Lag of the window", wording.duration, [lag_of(each) for _, each in known]),
        (
            "API calls",
            wording.number,
            [None if each.api_calls is None else float(each.api_calls) for _, each in known],
        ),
    )
    plots = []
    for label, words, figures in values:
        points = [
            charts.Point(
                max(figure, 0.0) if figure is not None else None,
                _label(where, verdict, words(figure)),
                verdict.state,
                base + report_path(*where),
                where == place,
            )
            for (where, _), verdict, figure in zip(known, verdicts, figures, strict=True)
        ]
        shown = [figure for (where, _), figure in zip(known, figures, strict=True) if where == place]
        most = max((figure for figure in figures if figure is not None), default=None)
        if most is not None:
            plots.append(Plot(label, words(shown[0] if shown else None), words(most), charts.columns(points)))
    return plots


def _label(place: Place, verdict: Verdict, value: str) -> str:
    return f"{place.run_id}: {value} ({verdict.word})"
