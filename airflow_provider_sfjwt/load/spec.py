"""What a load is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import JobSpec, argument
from airflow_provider_sfjwt.files.formats.input_file import ReadOptions
from airflow_provider_sfjwt.files.formats.recoding import fault_of_encoding
from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow
from airflow_provider_sfjwt.files.values.cells import NULL_POLICIES
from airflow_provider_sfjwt.load.operations import OPERATIONS, Operation, operation_named
from airflow_provider_sfjwt.load.reading.source_argument import fault_of_source

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.receipts import Writer
    from airflow_provider_sfjwt.load.reading.source_argument import Source as Source


def _mapping(value: Any) -> str | None:
    """Fields by the names of columns."""
    if not isinstance(value, Mapping):
        return f"must map columns to fields, as in {{'e-mail': 'Email'}}, and is a {type(value).__name__}"
    for column, name in value.items():
        if column == "":
            if name is not None:
                return "gives the columns without a name a field; name them in the source, or leave them out with None"
            continue
        if fault := arguments.text(column):
            return f"has a column whose name {fault}"
        if name is not None and (fault := arguments.text(name)):
            return f"gives column {column} a field whose name {fault}; None leaves the column out"
    return None


def _operation(value: Any) -> str | None:
    """The name of an operation, or an alias."""
    if fault := arguments.text(value):
        return fault
    return None if operation_named(value) else f"'{value}' is not one of {', '.join(OPERATIONS)}"


def _delimiter(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        return f"must be one character, such as ';' or '\\t', that is neither a quote nor a line break, not {value!r}"
    return None


def _null_policy(value: Any) -> str | None:
    if value in NULL_POLICIES:
        return None
    return f"'{value}' is neither 'ignore' (leave the field as it is) nor 'clear' (empty it)"


@dataclass(frozen=True, kw_only=True)
class LoadSpec(JobSpec):
    """What a load takes, with its defaults and checks. An argument that changes only the rows that are sent is harmless
    to the fingerprint, because the ledger knows each part by the hash of its rows as well.

    :param sobject: the object to load into.
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param source: the rows: paths, globs, the folder or the summary of an extract, or a list.
    :param external_id_field: the field by which an upsert finds records.
    :param column_mapping: the field for a column of the source, None to leave the column out.
    :param null_policy: ``ignore`` or ``clear``.
    :param max_failed_records: how many rows may be skipped, rejected or left unprocessed.
    :param max_failed_ratio: the same as a part of all rows, from 0 to 1; the larger of the two counts.
    :param results_path: the folder for the outcome of every row, or None.
    :param parallel_jobs: how many jobs work at a time, and how many are uploaded at once.
    :param row_retries: how often rows are sent again that met a passing error.
    :param group_by: the column by which rows are kept together, or None.
    :param transport: ``auto``, ``bulk`` or ``rest``.
    :param assignment_rule_id: the assignment rule for leads and cases, or None.
    :param file_format: ``csv``, ``jsonl`` or ``parquet``; None to tell by the files' names.
    :param delimiter: of CSV; None takes the one that the first line has.
    :param encoding: of CSV and JSON, as Python names it.
    :param header: the columns of a CSV without a header; None takes its first line.
    :param on_invalid: ``fail`` sends nothing where a row is faulty; ``skip`` sends the others, and counts the faulty
        ones as failed.
    :param timezone: of datetimes that have none, by its IANA name; None refuses them.
    :param trim: whether white space is taken off the ends of texts.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left; None for no such limit.
    :param dry_run: whether the load ends when all rows are checked.
    :param written_by: the task instance that loads; None outside a task.
    :param part_bytes: bytes of the rows of one job at most.
    """

    #: The ledger's jobs are looked up in the org, so a renamed connection to the same org changes nothing.
    salesforce_conn_id: str = argument(arguments.name, default="salesforce_jwt_default", harmless=True)
    sobject: str = argument(arguments.name)
    operation: str = argument(_operation)
    source: Source = argument(fault_of_source, harmless=True)
    external_id_field: str | None = argument(arguments.optional(arguments.name), default=None)
    column_mapping: Mapping[str, str | None] | None = argument(
        arguments.optional(_mapping), default=None, harmless=True
    )
    null_policy: str = argument(_null_policy, default="ignore", harmless=True)
    max_failed_records: int = argument(arguments.whole_number(0), default=0, harmless=True)
    max_failed_ratio: float | None = argument(arguments.optional(arguments.number(0, 1)), default=None, harmless=True)
    results_path: str | None = argument(arguments.optional(arguments.folder), default=None, harmless=True)
    parallel_jobs: int = argument(arguments.whole_number(1), default=4, harmless=True)
    row_retries: int = argument(arguments.whole_number(0), default=2, harmless=True)
    group_by: str | None = argument(arguments.optional(arguments.name), default=None, harmless=True)
    transport: str = argument(arguments.one_of("auto", "bulk", "rest"), default="auto", harmless=True)
    assignment_rule_id: str | None = argument(arguments.optional(arguments.name), default=None)
    file_format: str | None = argument(arguments.optional(arguments.text), default=None, harmless=True)
    delimiter: str | None = argument(arguments.optional(_delimiter), default=None, harmless=True)
    encoding: str = argument(fault_of_encoding, default="utf-8", harmless=True)
    header: Sequence[str] | None = argument(arguments.optional(arguments.names), default=None, harmless=True)
    on_invalid: str = argument(arguments.one_of("fail", "skip"), default="fail", harmless=True)
    timezone: str | None = argument(arguments.optional(arguments.time_zone), default=None, harmless=True)
    trim: bool = argument(arguments.flag, default=False, harmless=True)
    min_api_calls_left: int | None = argument(
        arguments.optional(arguments.whole_number(0)), default=None, harmless=True
    )
    dry_run: bool = argument(arguments.flag, default=False, harmless=True)
    written_by: Writer | None = None
    part_bytes: int = 24 * 2**20

    @property
    def action(self) -> Operation:
        """The operation, of a spec that has been checked."""
        found = operation_named(self.operation)
        if found is None:
            raise ValueError(f"there is no operation {self.operation}")
        return found

    @property
    def read_options(self) -> ReadOptions:
        """How files are read that do not say so themselves."""
        return ReadOptions(self.delimiter, self.encoding, None if self.header is None else tuple(self.header))

    @property
    def ignores_nameless(self) -> bool:
        """Whether columns of the source that have no name are left out."""
        return "" in (self.column_mapping or {})

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments."""
        found = super().faults()
        return found if "operation" in found else {**self._faults_of_operation(), **found}

    def check(self) -> None:
        """Refuse a load that cannot be carried out, before anything is done.

        :raises ConfigurationError: with everything that is wrong, by the names of the arguments; or when pyarrow is not
            installed.
        """
        super().check()
        require_arrow()

    def _faults_of_operation(self) -> dict[str, str]:
        """What does not go with the operation."""
        action, needs_key = self.action, self.action.finds_by == "external id"
        if needs_key and self.external_id_field is None:
            return {"external_id_field": f"is missing; {action.name} matches rows by it, e.g. Ext__c"}
        if not needs_key and self.external_id_field is not None:
            names = " and ".join(each.name for each in OPERATIONS.values() if each.finds_by == "external id")
            return {"external_id_field": f"goes with {names} alone, and the operation is {self.operation}"}
        if self.transport == "rest" and action.rest == "never":
            return {"transport": f"'rest' has no {action.name}; take 'bulk'"}
        return {}

    def tolerates(self, not_loaded: int, rows: int) -> bool:
        """Whether this many failed rows are within the task's limits.

        :param not_loaded: rows that were skipped, and those that Salesforce rejected or did not process.
        :param rows: rows in all.
        """
        by_ratio = 0 if self.max_failed_ratio is None else self.max_failed_ratio * rows
        return not_loaded <= max(self.max_failed_records, by_ratio)
