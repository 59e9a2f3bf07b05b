"""Why a task failed, in three short texts for its report: a code, the cause and what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    RecordsFailedError,
    SalesforceError,
    TransportError,
    counted,
)
from airflow_provider_sfjwt.tasks.errors import reason_of
from airflow_provider_sfjwt.tasks.report.struck_out import struck_out
from airflow_provider_sfjwt.tasks.report.task_report import Failure, RowErrors, TaskReport

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.formats.faults import Fault

#: Labels of faults that may quote rows: those of a source and of a database.
_OF_ROWS = frozenset({"source", "sql", "parameters", "table", "table_uri", "results_table", "row_key"})
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
_DUPLICATE = re.compile(r"duplicate value found: (\w{1,80}) duplicates value on record")
#: The code of rows that were found to be faulty before anything was sent.
REFUSED_HERE = "INVALID_ROW"


def failure_of(error: Exception, report: TaskReport, *, last_attempt: bool) -> Failure:
    """What the report says of an error.

    :param error: why the task fails.
    :param report: without the failure: what it says anyway may be quoted.
    :param last_attempt: whether Airflow has no attempt left.
    """
    if not isinstance(error, SalesforceError):
        return Failure(type(error).__name__, struck_out(str(error), report.conn_id), will_retry=not last_attempt)
    said = " ".join([report.soql, report.sobject or "", report.conn_id, *report.paths.values(), *report.columns])
    cause, remedy = _in_words(error, report, said)
    return Failure(
        code=_code(error),
        cause=cause.rstrip("."),
        remedy=remedy or _next_step(error),
        setup_page=error.setup_page,
        will_retry=error.retryable and not last_attempt,
    )


def refused_rows(error: Exception) -> tuple[RowErrors, ...]:
    """The rows that were refused before anything was sent, as errors by code.

    :param error: why the task fails.
    :return: empty for any other error.
    """
    faults = _faults(error)
    if not faults:
        return ()
    columns = dict.fromkeys(str(fault.column) for fault in faults if fault.column)
    return (RowErrors(REFUSED_HERE, int(getattr(error, "total", len(faults))), tuple(columns)),)


def fields_named(sample: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that Salesforce refuses a row for. Of duplicate values it names the field in its message alone.

    :param sample: of an error, as the report of a load has it.
    """
    fields = tuple(str(name) for name in sample.get("fields") or ())
    duplicate = _DUPLICATE.match(str(sample.get("message") or ""))
    return fields or ((duplicate[1],) if duplicate else ())


def _faults(error: Exception) -> Sequence[Fault]:
    """The faults of a load's rows. Their error is known by its attribute: its module needs pyarrow."""
    faults: Sequence[Fault] = getattr(error, "faults", ())
    return faults


def _code(error: SalesforceError) -> str:
    if isinstance(error, ApiError) and error.items:
        return error.items[0].code
    if isinstance(error, AuthenticationError | TransportError) and error.code:
        return error.code
    return type(error).__name__


def _in_words(error: SalesforceError, report: TaskReport, said: str) -> tuple[str, str]:
    """The cause and the remedy."""
    if refused := refused_rows(error):
        return _refused(refused[0], _faults(error)[0])
    if isinstance(error, ConfigurationError):
        return _misconfigured(error, said)
    if isinstance(error, RecordsFailedError) and error.remedy and report.counts:
        return _not_loaded(error, report)
    if isinstance(error, ApiError) and error.items:
        argument = f"argument {error.argument}: " if error.argument else ""
        return struck_out(f"{argument}{reason_of(error.items[0].message)}", said), error.remedy
    if isinstance(error, AuthenticationError):
        return error.cause or struck_out(error.description), error.hint
    if isinstance(error, TransportError):
        return f"{error.cause}{f' ({error.host})' if error.host else ''}", error.remedy
    words = str(error)
    if error.remedy:
        words = words.partition(error.remedy)[0]
    return struck_out(words.strip(), said), error.remedy


def _refused(refused: RowErrors, first: Fault) -> tuple[str, str]:
    row = f" The first is in row {first.row} of {str(first.file).rpartition('/')[2]}." if first.row is not None else ""
    columns = f" Columns: {', '.join(refused.fields)}." if refused.fields else ""
    return (
        f"{counted(refused.count, 'fault')} in the rows of the source; nothing was sent.{columns}{row}",
        "Correct the rows: the task's log says what is wrong with each. Or send the others with on_invalid='skip'.",
    )


def _misconfigured(error: ConfigurationError, said: str) -> tuple[str, str]:
    faults = [
        f"{label}: {struck_out(fault, said, nested=True) if label in _OF_ROWS else fault}"
        for label, fault in error.fields.items()
    ]
    where = f"in the {error.subject.removeprefix('the ')}" if "connection" in error.subject else "of the task"
    noun = "the fields" if "connection" in error.subject else "the arguments"
    names = ", ".join(error.fields)
    return "; ".join(faults), error.remedy or f"Correct {noun} {where}: {names}."


def _not_loaded(error: RecordsFailedError, report: TaskReport) -> tuple[str, str]:
    codes = ", ".join(f"{each.count:,} {each.code}" for each in report.errors[:3])
    left = report.counts.get("unprocessed", 0)
    unprocessed = f"; {counted(left, 'row')} not processed" if left else ""
    cause = f"more rows failed than the task allows{f': {codes}' if codes else ''}{unprocessed}"
    where = f" Each row and its error are in {error.results_path}." if error.results_path else ""
    return (
        cause,
        f"{error.remedy.rstrip('.')}.{where} To let some rows fail, raise max_failed_records or max_failed_ratio.",
    )


def _next_step(error: SalesforceError) -> str:
    if error.retryable:
        return "This passes by itself in most cases: another attempt may succeed."
    return "See the task's log for the whole message, and the page on errors in the documentation."
