"""What happened in a run, and what to do: the first thing that a page says."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_sfjwt.tasks.report.task_report import TaskReport
from airflow_provider_sfjwt.ui.wording import counted, number

#: Rows that a load did not bring into the org, by what became of them.
LOST = ("failed", "unprocessed", "skipped")


@dataclass(frozen=True)
class Verdict:
    """Of a run.

    :param state: ``good``, ``warn`` or ``bad``, which are classes of the style sheet.
    :param word: the state in one or two words.
    :param headline: what happened, with the counts that matter.
    :param cause: why, for a run that is not well; else what proves that it is.
    :param remedy: what to do.
    :param setup_page: of Salesforce Setup, where that is to be done; or empty.
    """

    state: str
    word: str
    headline: str
    cause: str
    remedy: str
    setup_page: str = ""


def verdict_on(report: TaskReport) -> Verdict:
    """Judge a run.

    :param report: of the run.
    """
    failure = report.failure
    if failure is not None:
        # A code of Salesforce's can be looked up; the name of a class says nothing to who reads a page.
        code = "" if failure.code.endswith("Error") or failure.code in failure.cause else failure.code
        cause = f"{_as_sentence(failure.cause)}{f' ({code})' if code else ''}."
        if failure.will_retry:
            remedy = f"Nothing yet: Airflow starts the next attempt by itself. {failure.remedy}"
            return Verdict("warn", "Will be retried", _failed(report), cause, remedy, failure.setup_page)
        return Verdict("bad", "Failed", _failed(report), cause, failure.remedy, failure.setup_page)
    if report.kind == "load":
        return _loaded(report)
    good = {"query": _queried, "merge": _merged, "freeze": _frozen}.get(report.kind, _extracted)(report)
    changes = [f"{len(names)} {kind}" for kind, names in (report.drift or {}).items() if names]
    if changes and report.kind != "merge":
        remedy = f"Check that readers of the files cope with the changed columns ({', '.join(changes)})."
        return Verdict("warn", "Columns changed", good.headline, good.cause, remedy)
    return good


def lost_rows(report: TaskReport) -> int:
    """Rows that a load did not bring into the org.

    :param report: of the load.
    """
    return sum(report.counts.get(name, 0) for name in LOST)


def _good(headline: str, proof: str) -> Verdict:
    return Verdict("good", "Complete", headline, proof, "Nothing.")


def _extracted(report: TaskReport) -> Verdict:
    rows = report.rows or 0
    if not rows:
        return _good(
            f"No row of {_object(report)}{_of_window(report)}", "Salesforce counted none, and none is missing."
        )
    return _good(
        f"{counted(rows, 'row')} of {_object(report)} extracted",
        "The files hold as many rows as Salesforce declared, and the receipt is published.",
    )


def _queried(report: TaskReport) -> Verdict:
    return _good(f"The query returned {counted(report.rows or 0, 'row')}", "They are the task's result in XCom.")


def _merged(report: TaskReport) -> Verdict:
    done = [f"{number(count)} {name}" for name, count in report.counts.items() if count]
    return _good(
        f"{counted(report.rows or 0, 'row')} merged into {_table(report)}",
        f"{', '.join(done).capitalize()}." if done else "The extract had been merged before: nothing changed.",
    )


def _frozen(report: TaskReport) -> Verdict:
    return _good(
        f"{counted(report.rows or 0, 'row')} of the SQL query written to files", "The receipt proves them complete."
    )


def _loaded(report: TaskReport) -> Verdict:
    read, lost = report.counts.get("read", report.rows or 0), lost_rows(report)
    if read and not report.counts.get("sent", read) and not report.rows:
        return _good(
            f"{counted(read, 'row')} for {_object(report)} checked", "A dry run: nothing was sent to Salesforce."
        )
    if lost:
        results = report.paths.get("results_path") or report.paths.get("results_table")
        where = f"Each row and its error are in {results}." if results else "Give results_path to get each row's error."
        return Verdict(
            "warn",
            "Loaded with losses",
            f"{number(report.rows)} of {counted(read, 'row')} loaded into {_object(report)}, {number(lost)} not",
            "The task allows so many rows to fail, so it succeeded.",
            f"Correct the other rows by their errors, and load these rows alone in a new run. {where}",
        )
    return _good(
        f"All {counted(read, 'row')} loaded into {_object(report)}"
        if read
        else f"No row to load into {_object(report)}",
        "Salesforce accepted each of them." if read else "The source is empty.",
    )


def _failed(report: TaskReport) -> str:
    name = _object(report)
    if report.kind == "load":
        read = report.counts.get("read", 0)
        if read:
            return (
                f"{number(report.rows)} of {counted(read, 'row')} loaded into {name}, {number(lost_rows(report))} not"
            )
        return f"The load into {name} did not end" if report.jobs else f"Nothing was sent to {name}"
    if report.kind == "merge":
        return f"{_table(report)} is as it was before: nothing was merged"
    if report.kind == "query":
        return "The query returned nothing"
    return f"{name[:1].upper()}{name[1:]} was not extracted; nothing was published"


def _as_sentence(text: str) -> str:
    """With a capital letter, unless it begins with the name of an argument."""
    return text if text.partition(" ")[0].endswith(":") else text[:1].upper() + text[1:]


def _object(report: TaskReport) -> str:
    return report.sobject or "the query"


def _table(report: TaskReport) -> str:
    return report.paths.get("table") or report.paths.get("table_uri") or "the table"


def _of_window(report: TaskReport) -> str:
    return " changed in the window" if report.window else ""
