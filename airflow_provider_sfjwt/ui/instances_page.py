"""What the page of a mapped task shows: its instances, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.tasks.addresses import report_path
from airflow_provider_sfjwt.ui import charts, wording
from airflow_provider_sfjwt.ui.airflow_internals import Place, Stored
from airflow_provider_sfjwt.ui.run_page import read_report
from airflow_provider_sfjwt.ui.verdicts import Verdict, verdict_on

_ORDER = ("bad", "warn", "good")


@dataclass(frozen=True)
class InstanceLine:
    """One instance.

    :param share: of the rows of the largest instance, in units of a chart's width.
    :param cause: why it is not well; or empty.
    """

    index: int
    verdict: Verdict
    sobject: str
    rows: str
    share: float
    seconds: str
    cause: str
    href: str


def instances_page(place: Place, found: Sequence[Stored], base: str) -> dict[str, Any]:
    """What the template of a mapped task needs.

    :param place: the task; its map index does not count.
    :param found: its instances.
    :param base: the path of Airflow's UI.
    """
    reports = [(stored, read_report(stored)) for stored in found]
    most = max((report.rows or 0 for _, report in reports if report is not None), default=0)
    lines = []
    for stored, report in reports:
        verdict = verdict_on(report) if report is not None else _unreported(stored)
        rows = report.rows if report is not None else None
        lines.append(
            InstanceLine(
                stored.place.map_index,
                verdict,
                (report.sobject or "") if report is not None else "",
                wording.number(rows),
                round((rows or 0) / most * charts.WIDTH, 1) if most else 0.0,
                wording.duration(report.seconds if report is not None else None),
                verdict.cause if verdict.state != "good" else "",
                base + report_path(*stored.place),
            )
        )
    causes = [
        f"instance {line.index}{f' ({line.sobject})' if line.sobject else ''}"
        for line in lines
        if line.verdict.state == "bad"
    ]
    lines.sort(key=lambda line: (_ORDER.index(line.verdict.state), line.index))
    others = sum(line.verdict.state == "warn" for line in lines)
    rows = sum(report.rows or 0 for _, report in reports if report is not None)
    return {"place": place, "lines": lines, "verdict": _verdict(len(lines), causes, others, rows)}


def _verdict(instances: int, failed: Sequence[str], others: int, rows: int) -> Verdict:
    of_all = f"{wording.counted(rows, 'row')} in {wording.counted(instances, 'instance')}"
    if failed:
        of_instances = f"{len(failed)} of {wording.counted(instances, 'instance')} failed"
        headline = f"{of_instances}; {wording.counted(rows, 'row')} by the others"
        remedy = "Open each failed instance below: it says what to change. Then clear the failed instances in Airflow."
        named = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
        return Verdict(
            "bad", "Failed", headline, f"{named[:1].upper()}{named[1:]} failed; the others are complete.", remedy
        )
    if others:
        headline = f"{of_all}; {others} to look at"
        return Verdict(
            "warn", "To look at", headline, "No instance failed.", "Open the instances that are marked below."
        )
    return Verdict("good", "Complete", of_all, "Every instance is complete.", "Nothing.")


def _unreported(stored: Stored) -> Verdict:
    state = stored.state or "not started"
    rank = "bad" if state in ("failed", "upstream_failed") else "warn"
    return Verdict(rank, state, "", "It left no report: its log says more." if rank == "bad" else "No report yet.", "")
