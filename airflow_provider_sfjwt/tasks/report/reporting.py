"""A task's report: begun with the task, pushed to XCom when it ends, whether it succeeds or fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.compat import AirflowException, task_attempt
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.tasks.addresses import job_page
from airflow_provider_sfjwt.tasks.report.failures import failure_of, fields_named, refused_rows
from airflow_provider_sfjwt.tasks.report.log_lines import log_report
from airflow_provider_sfjwt.tasks.report.task_report import KEY, Part, RowErrors, SetupJob, TaskReport

if TYPE_CHECKING:
    from airflow_provider_sfjwt.extract.extraction import Extraction
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.load.load import Load
    from airflow_provider_sfjwt.load.outcomes.tally import SettledPart
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.tables.report import MergeReport


@dataclass
class Draft:
    """What a task works with, as far as it has got. The report is made of it when the task ends.

    :param kind: of the report.
    :param org: that the task is connected to.
    :param extraction: with the query and the times of its parts.
    :param receipt: of what was published.
    :param load: with the outcomes of its rows.
    :param merge: what became of merged rows.
    :param job_ids: of Bulk API 2.0.
    :param rows: where nothing above knows them.
    :param counts: the same.
    :param columns: the same.
    """

    kind: str
    org: ConnectedOrg | None = None
    extraction: Extraction | None = None
    receipt: Receipt | None = None
    load: Load | None = None
    merge: MergeReport | None = None
    job_ids: list[str] = field(default_factory=list)
    rows: int | None = None
    counts: Mapping[str, int] | None = None
    columns: Sequence[str] = ()
    _began: float = field(default_factory=time.monotonic)

    def report(self, operator: Any, context: Mapping[str, Any], error: Exception | None = None) -> TaskReport:
        """The report of what is known by now.

        :param operator: whose arguments say what was asked.
        :param context: Airflow's.
        :param error: why the task fails; None for a success.
        """
        attempt = task_attempt(context)
        report = TaskReport(
            kind=self.kind,
            ended_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._began, 3),
            attempt=attempt.try_number if attempt else None,
            rows=self.rows,
            counts=self.counts or {},
            columns=tuple(self.columns),
            **_asked(operator),
        )
        for add in (self._with_extract, self._with_load, self._with_merge, self._with_org):
            report = add(report)
        if error is None:
            return report
        last_one = attempt is not None and attempt.try_number > attempt.max_tries
        failure = failure_of(error, report, last_attempt=last_one)
        return replace(report, failure=failure, errors=report.errors or refused_rows(error))

    def _with_extract(self, report: TaskReport) -> TaskReport:
        if self.extraction is not None and (plan := self.extraction.known_plan) is not None:
            window = self.extraction.window
            report = replace(
                report,
                sobject=plan.sobject,
                soql=plan.soql,
                columns=tuple(column.name for column in plan.columns),
                window=tuple(each.isoformat() for each in window) if window else None,
            )
        receipt = self.receipt
        if receipt is None:
            return report
        times = self.extraction.part_times if self.extraction is not None else {}
        first = min((began for began, _ in times.values()), default=0.0)

        def timed(name: str) -> tuple[float | None, float | None]:
            if name not in times:
                return None, None
            began, ended = times[name]
            return round(began - first, 3), round(ended - began, 3)

        return replace(
            report,
            sobject=receipt.sobject,
            soql=receipt.soql or report.soql,
            transport=receipt.transport,
            window=receipt.window,
            seconds=receipt.seconds,
            rows=receipt.records,
            bytes=sum(part.bytes for part in receipt.parts),
            parts=tuple(Part(part.name, part.records, part.bytes, *timed(part.name)) for part in receipt.parts),
            columns=tuple(str(column["name"]) for column in receipt.columns),
            drift={name: tuple(names) for name, names in receipt.drift.items()} if receipt.drift is not None else None,
            paths={**report.paths, "output_path": receipt.output_path, "receipt": receipt.summary()["receipt"]},
        )

    def _with_load(self, report: TaskReport) -> TaskReport:
        if self.load is None:
            return report
        parts = _timed(self.load.settled)
        report = replace(report, parts=parts, bytes=sum(part.bytes for part in parts) or None)
        done = self.load.report
        if done is None:
            return report
        errors = sorted(done.errors_by_code.items(), key=lambda item: -item[1]["count"])
        self.job_ids = [str(job["id"]) for job in done.jobs] or self.job_ids
        receipt = done.summary()["receipt"]
        return replace(
            report,
            rows=done.counts["succeeded"],
            counts=dict(done.counts),
            errors=tuple(RowErrors(code, each["count"], fields_named(each["sample"])) for code, each in errors),
            seconds=done.seconds,
            transport="bulk" if done.jobs else "rest",
            paths={**report.paths, **({"receipt": receipt} if receipt else {})},
        )

    def _with_merge(self, report: TaskReport) -> TaskReport:
        if (merge := self.merge) is None:
            return report
        counts = {name: getattr(merge, name) for name in ("inserted", "updated", "unchanged", "deleted")}
        drift = {"added": tuple(merge.columns_added)} if merge.columns_added else None
        return replace(report, rows=merge.staged, counts=counts, drift=drift)

    def _with_org(self, report: TaskReport) -> TaskReport:
        if self.org is None:
            return report
        usage, url = self.org.session.usage, self.org.known_instance_url or ""
        return replace(
            report,
            host=urlsplit(url).netloc.rpartition("@")[2],
            api_calls=usage.calls,
            api_calls_left=usage.left,
            api_calls_allowed=usage.allowed,
            jobs=tuple(SetupJob(each, job_page(url, each)) for each in dict.fromkeys(self.job_ids)),
        )


@contextmanager
def reporting(operator: Any, context: Mapping[str, Any], kind: str, *, on_success: bool = True) -> Iterator[Draft]:
    """Log and push the report of what happens in the block, when it ends; not when the task defers.

    :param operator: that runs. It keeps the draft as ``draft``, for its lineage.
    :param context: Airflow's. Without a task instance (as in a unit test) nothing is pushed.
    :param kind: of the report.
    :param on_success: whether a block that ends well is the end of the task.
    :return: the draft, to be filled while the task works.
    """
    draft = operator.draft = Draft(kind)
    try:
        yield draft
    except (SalesforceError, AirflowException) as error:
        _leave(draft, operator, context, error)
        raise
    if on_success:
        _leave(draft, operator, context)


def _leave(draft: Draft, operator: Any, context: Mapping[str, Any], error: Exception | None = None) -> None:
    """Log and push the report. A task whose work is done does not fail for it: a retry would do the work again."""
    try:
        report = draft.report(operator, context, error)
        log_report(operator.log, report)
        if (instance := context.get("ti")) is not None:
            instance.xcom_push(key=KEY, value=report.to_json())
    except Exception as failure:  # noqa: BLE001  # a custom XCom backend raises any error
        operator.log.warning("This task leaves no report: %s", type(failure).__name__)


def _asked(operator: Any) -> dict[str, Any]:
    """What the arguments of a task say, by the fields of the report."""
    named = {name: _text_of(operator, name) for name in ("sobject", "soql", "transport", "incremental")}
    paths = ("output_path", "results_path", "results_table", "table", "table_uri", "staging_path")
    return {
        **{name: text for name, text in named.items() if text},
        "conn_id": _text_of(operator, "salesforce_conn_id"),
        "operation": _text_of(operator, "operation") or _text_of(operator, "mode"),
        "paths": {name: text for name in paths if (text := _text_of(operator, name))},
    }


def _text_of(operator: Any, name: str) -> str:
    value = getattr(operator, name, None)
    return value if isinstance(value, str) else ""


def _timed(settled: Sequence[SettledPart]) -> tuple[Part, ...]:
    """The parts of a load, with the times that Salesforce gives for their jobs."""
    first = min((part.began for part in settled if part.began is not None), default=0.0)
    return tuple(
        Part(
            f"part {part.number}",
            part.rows,
            part.bytes,
            None if part.began is None else round(part.began - first, 3),
            part.seconds,
        )
        for part in settled
    )
