"""What an extract is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import GivenWindow, JobSpec, Window, argument
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.routes import AUTO, ROUTES
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.values.columns import NUMBERS
from airflow_provider_sfjwt.salesforce.api.soql import literal, within

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink
    from airflow_provider_sfjwt.files.storage.receipts import Writer


def _incremental(value: Any) -> str | None:
    """The name of a way to cover only what changed."""
    if value in ("watermark", "data_interval"):
        return None
    return f"'{value}' is neither 'watermark' nor 'data_interval' nor None"


@dataclass(frozen=True, kw_only=True)
class ExtractSpec(JobSpec):
    """What is to be extracted, and where to: the arguments of ``SalesforceExtractOperator`` and of ``hook.extract()``.

    What a remote job returns decides whether an argument is harmless. The files are compared page by page, and the
    window with the one that the job was created for.

    :param output_path: the folder of this run.
    :param sobject: the object to extract; or else ``soql``.
    :param soql: the query to extract; or else ``sobject``.
    :param fields: field names, parents' as ``Owner.Name``; None for every field that Bulk API 2.0 can return.
    :param where: a SOQL condition without ``WHERE``.
    :param window: start and end of ``cursor_field``, the end excluded: datetimes with a time zone, or texts in ISO
        8601; None for all rows.
    :param cursor_field: a date-time field that moves with every change.
    :param file_format: ``parquet``, ``csv`` or ``jsonl``.
    :param numbers: how fractional numbers are kept in Parquet: ``decimal`` as ``decimal128(38, 18)``, ``float64`` as
        Salesforce's own doubles, ``described`` by precision and scale of the description, and a number that does not
        fit fails the extract.
    :param compression: None for the format's default.
    :param include_deleted: whether rows in the recycle bin and archived activities are extracted too.
    :param incremental: ``data_interval``, ``watermark``, or None for all rows.
    :param commit_lag: seconds for which a row may become visible late.
    :param parallel_pages: how many result pages are fetched at once.
    :param transport: the name of a route, or ``auto``.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left; None for no such limit.
    :param verify_job_count: whether Salesforce's own count must equal the rows; false only records it.
    :param list_parts: whether the task's result lists the parts.
    :param emit_empty: whether a task emits an asset event where there were no rows.
    :param written_by: the task instance that extracts, or None where there is none.
    :param link: what ties the receipt to the one before it, or None outside a chain.
    :param rather_large: whether many rows are known to come, so that a job is the first route of ``auto``.
    :param created: start and end of ``CreatedDate``, the end excluded, where a job extracts a range of the rows; None
        on either side for no limit.
    """

    output_path: str = argument(arguments.folder)
    sobject: str | None = argument(arguments.optional(arguments.name), default=None)
    soql: str | None = argument(arguments.optional(arguments.name), default=None)
    fields: Sequence[str] | None = argument(arguments.optional(arguments.names), default=None)
    where: str | None = argument(arguments.optional(arguments.condition), default=None)
    window: GivenWindow | None = argument(arguments.optional(arguments.window), default=None, harmless=True)
    cursor_field: str = argument(arguments.name, default="SystemModstamp")
    file_format: str = argument(arguments.text, default="parquet", harmless=True)
    numbers: str = argument(arguments.one_of(*NUMBERS), default="decimal", added="0.2.0")
    compression: str | None = argument(arguments.optional(arguments.text), default=None, harmless=True)
    include_deleted: bool = argument(arguments.flag, default=False)
    incremental: str | None = argument(arguments.optional(_incremental), default=None)
    commit_lag: float = argument(arguments.number(0, unit="seconds"), default=300, harmless=True)
    parallel_pages: int = argument(arguments.whole_number(1), default=4, harmless=True)
    transport: str = argument(arguments.one_of(AUTO, *ROUTES), default=AUTO)
    min_api_calls_left: int | None = argument(
        arguments.optional(arguments.whole_number(0)), default=None, harmless=True
    )
    verify_job_count: bool = argument(arguments.flag, default=True, harmless=True)
    list_parts: bool = argument(arguments.flag, default=False, harmless=True)
    emit_empty: bool = argument(arguments.flag, default=True, harmless=True)
    written_by: Writer | None = None
    link: ChainLink | None = None
    rather_large: bool = False
    created: tuple[datetime | None, datetime | None] | None = None

    @property
    def moments(self) -> Window | None:
        """The window as moments, or None for all rows.

        :raises ConfigurationError: for a window that cannot be read.
        """
        try:
            return None if self.window is None else arguments.window_of(self.window)
        except ValueError as fault:
            raise ConfigurationError({"window": str(fault)}, subject="the task") from None

    @property
    def condition(self) -> str:
        """Which rows of the object are extracted, in SOQL; empty for all rows."""
        conditions = [f"({self.where})"] if self.where else []
        if (window := self.moments) is not None:
            rows = within(self.cursor_field, *window)
            if self.link is not None and self.link.backfill is not None:
                before = f"{self.cursor_field} < {literal(window[0])}"
                rows = f"(({rows}) OR ({before} AND ({self.link.backfill.condition})))"
            conditions.append(rows)
        for sign, moment in zip((">=", "<"), self.created or (), strict=False):
            conditions += [f"CreatedDate {sign} {literal(moment)}"] if moment is not None else []
        return " AND ".join(conditions)

    @property
    def format(self) -> OutputFormat:
        """How parts are written."""
        return OutputFormat(self.file_format, self.compression)

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments; empty when the extract can begin."""
        faults = super().faults()
        if not faults.keys() & {"file_format", "compression"}:
            faults |= self.format.faults()
        if (self.sobject is None) == (self.soql is None):
            faults["sobject"] = "give either sobject or soql"
        if self.soql and (self.fields or self.where or self.window):
            faults["soql"] = (
                "a whole query takes no fields, where, window or incremental beside it: write them into the query, "
                "e.g. WHERE SystemModstamp >= {{ data_interval_start | ts }} …, or give sobject instead"
            )
        if self.window is not None and self.incremental:
            faults.setdefault("window", "goes without incremental, which finds the window by itself; give one of them")
        if self.incremental and not self.sobject:
            faults.setdefault("incremental", "needs sobject; in soql, write the condition yourself")
        return faults
