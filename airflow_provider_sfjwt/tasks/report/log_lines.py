"""The end of a task's log: details that are folded, and one line that people and programs read.

Airflow's log pane folds what stands between ``::group::`` and ``::endgroup::``, and cuts lines at its edge.
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/logging-tasks.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_sfjwt.exceptions import counted
from airflow_provider_sfjwt.salesforce.org.progress import fold
from airflow_provider_sfjwt.tasks.report.task_report import TaskReport


def log_report(log: Any, report: TaskReport) -> None:
    """Log what a task did: columns, parts and errors folded, then one line.

    :param log: of the task.
    :param report: of the task.
    """
    if report.columns:
        changes = [f"{kind}: {', '.join(names)}" for kind, names in (report.drift or {}).items() if names]
        fold(log, f"{counted(len(report.columns), 'column')}{' · ' * bool(changes)}{'; '.join(changes)}"[:100], [
            ", ".join(report.columns)
        ])  # fmt: skip
    if report.parts:
        fold(log, counted(len(report.parts), "part"), _table(("part", "rows", "bytes", "seconds"), (
            (each.name, f"{each.rows:,}", f"{each.bytes:,}", "" if each.seconds is None else f"{each.seconds:,.1f}")
            for each in report.parts
        )))  # fmt: skip
    if report.errors:
        rows = sum(each.count for each in report.errors)
        fold(log, f"Errors of {counted(rows, 'row')}, by code", _table(("code", "rows", "fields"), (
            (each.code, f"{each.count:,}", ", ".join(each.fields)) for each in report.errors
        )))  # fmt: skip
    failure = report.failure
    last = log.info if failure is None else log.warning if failure.will_retry else log.error
    last("%s", summary_line(report))


def summary_line(report: TaskReport) -> str:
    """What a task did, in one line: a sentence, then ``key=value`` pairs whose values have no blanks.

    :param report: of the task.
    """
    counts = report.counts or {}
    failed = sum(counts.get(name, 0) for name in ("failed", "unprocessed", "skipped"))
    pairs: dict[str, object] = {
        "kind": report.kind,
        "outcome": "failure" if report.failure is not None else "success",
        "rows": report.rows,
        "failed": failed if report.kind == "load" else None,
        "api_calls": report.api_calls,
        "seconds": None if report.seconds is None else f"{report.seconds:.1f}",
        "parts": len(report.parts) or None,
        "bytes": report.bytes,
        "api_calls_left": report.api_calls_left,
        "sobject": report.sobject,
        "error": report.failure.code if report.failure is not None else None,
        "will_retry": str(report.failure.will_retry).lower() if report.failure is not None else None,
    }
    given = (f"{key}={''.join(str(value).split())}" for key, value in pairs.items() if value not in (None, ""))
    return f"{_sentence(report)} {' '.join(given)}"


def _sentence(report: TaskReport) -> str:
    if report.failure is not None:
        again = "Airflow tries again" if report.failure.will_retry else "Airflow does not try again"
        return f"Failed: {report.failure.code}. {again}."
    rows = counted(report.rows or 0, "row")
    whose = f" of {report.sobject}" if report.sobject else ""
    match report.kind:
        case "extract":
            return f"Extracted {rows}{whose}."
        case "load":
            read = (report.counts or {}).get("read", report.rows or 0)
            return f"Loaded {report.rows or 0:,} of {counted(read, 'row')} into {report.sobject} ({report.operation})."
        case "merge":
            return f"Merged {rows}."
        case "freeze":
            return f"Wrote {rows} of a SQL query into files."
    return f"Read {rows}{whose}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines whose columns are aligned: texts to the left, numbers to the right."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    numeric = [all(line[place][:1].isdigit() or not line[place] for line in lines[1:]) for place in range(len(head))]

    def cell(text: str, place: int) -> str:
        return text.rjust(widths[place]) if numeric[place] else text.ljust(widths[place])

    return ["  ".join(cell(text, place) for place, text in enumerate(line)).rstrip() for line in lines]
