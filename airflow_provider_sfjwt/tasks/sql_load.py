"""A load whose rows are those of a SQL query: frozen before it, and reported to a table after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import arguments, compat
from airflow_provider_sfjwt.arguments import argument, optional
from airflow_provider_sfjwt.compat import cached_property, task_attempt
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.report import LoadReport
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.tables.queries.spec import QuerySpec
from airflow_provider_sfjwt.tables.spec import MergeSpec
from airflow_provider_sfjwt.tasks.frozen_rows import FrozenRows

if TYPE_CHECKING:
    from airflow_provider_sfjwt.tasks.results_table import ResultsTable

_log = logging.getLogger(__name__)


def _row_key(value: Any) -> str | None:
    return arguments.name(value) if isinstance(value, str) else arguments.names(value)


@dataclass(frozen=True, kw_only=True)
class SqlLoadSpec(QuerySpec):
    """What a load of a query takes beside the arguments of any load.

    :param staging_path: the folder for the frozen rows; None for one on this machine.
    :param keep_staged: whether they stay there when all are loaded.
    :param results_table: the table for the outcome of every row; None for none.
    :param row_key: the column, or columns, of the query that tell its rows apart there.
    """

    staging_path: str | None = argument(optional(arguments.folder), default=None)
    keep_staged: bool = argument(arguments.flag, default=False)
    results_table: str | None = argument(optional(arguments.name), default=None)
    row_key: str | Sequence[str] | None = argument(optional(_row_key), default=None)

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments."""
        found = super().faults()
        if self.results_table is None and self.row_key is not None:
            found.setdefault("row_key", "goes with results_table alone")
        if self.results_table is not None:
            if self.row_key is None:
                found.setdefault("row_key", "is missing; results_table names each row by it")
            table = MergeSpec(source="file:///x", sql_conn_id="x", table=self.results_table).faults()
            if "table" in table:
                found.setdefault("results_table", table["table"])
        return found

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of ``row_key``."""
        return (self.row_key,) if isinstance(self.row_key, str) else tuple(self.row_key or ())


def opened_sql_load(
    task: object, load: LoadSpec, context: Mapping[str, Any], event: Mapping[str, Any] | None
) -> SqlLoad:
    """Begin an attempt, once every argument of the task has been checked: the query may take hours.

    :param task: the operator.
    :param load: what the load asks for, with any source.
    :param context: Airflow's.
    :param event: of the trigger, where the task resumes.
    :raises ConfigurationError: with everything that is wrong, by the names of the arguments.
    """
    spec, writer = SqlLoadSpec.of(task), Writer.of(context)
    if faults := {**load.faults(), **spec.faults(), **_faults_of_files(load)}:
        raise ConfigurationError(faults, subject="the task")
    load.check()
    if writer is None:
        raise ConfigurationError({"staging_path": "the rows are kept for a task instance"}, subject="the task")
    # It needs pyarrow, which the check has looked for.
    from airflow_provider_sfjwt.tasks.load_task import opened_ledger

    ledger = opened_ledger(context, event, sends=not load.dry_run)
    frozen = FrozenRows(spec.staging_path, writer, task_attempt(context))
    return SqlLoad(spec, writer, ledger, frozen, results_path=load.results_path, dry_run=load.dry_run)


def _faults_of_files(load: LoadSpec) -> dict[str, str]:
    """Arguments that say how files are read."""
    as_it_is = {each.name: each.default for each in fields(LoadSpec)}
    names = ("file_format", "delimiter", "encoding", "header")
    given = [name for name in names if getattr(load, name) != as_it_is[name]]
    return dict.fromkeys(given, "says how files are read; the rows come from the query")


class SqlLoad:
    """What comes before and after the load of one attempt.

    :param spec: what is asked for; it has been checked.
    :param writer: the task instance.
    :param ledger: what earlier attempts have sent.
    :param frozen: the rows of the query.
    :param results_path: the folder for every row's outcome, as the task names it.
    :param dry_run: whether no rows are sent.
    """

    def __init__(
        self,
        spec: SqlLoadSpec,
        writer: Writer,
        ledger: Ledger,
        frozen: FrozenRows,
        *,
        results_path: str | None,
        dry_run: bool,
    ) -> None:
        self._spec = spec
        self._writer = writer
        self._ledger = ledger
        self._begun = bool(ledger.numbers)
        self._frozen = frozen
        self._reports = spec.results_table is not None and not dry_run
        #: A load that has sent rows needs them; a dry run in between leaves them as they are.
        self._borrows = dry_run and self._begun
        #: The folder for every row's outcome, one of its own where only a table is asked for.
        self.results_path = results_path or (self._frozen.results if self._reports else None)
        self._found: str | None = None
        self._green = False

    def freeze(self) -> dict[str, Any]:
        """Freeze the query, or find the rows that an earlier attempt froze.

        :return: as ``source`` of the load.
        """
        if self._reports:
            from airflow_provider_sfjwt.tasks.results_table import check_results_connection

            check_results_connection(self._connection_type(), self._spec.sql_conn_id)
        receipt = self._frozen.of(self._spec, begun=self._begun)
        if self._reports and not self._begun:
            with self._refused_rows():
                self._table.check()
        if not receipt.records:
            _log.info("The query returned no rows; there is nothing to load")
        self._found = self._report_text()
        return receipt.summary()

    @contextmanager
    def settling(self) -> Iterator[None]:
        """A load: where it fails, what is known of its rows is reported, and a retry finds them."""
        try:
            with self._refused_rows(), self._private():
                yield
        except SalesforceError as error:
            if self._reports and not self._green and self._report_text() not in (None, self._found):
                try:
                    self._report()
                except SalesforceError as unwritten:
                    where = f"results_table does not have the rows' outcomes: {unwritten}"
                    raise error.with_message(f"{str(error).rstrip('.')}. {where}", retryable=error.retryable) from error
            _log.warning("The rows stay in %s; the next attempt that is green removes them", self._frozen.path)
            raise

    def conclude(self) -> None:
        """Report the rows of a load that is green, and let no retry read them again."""
        self._green = True
        if self._reports:
            self._frozen.note_loaded(self._report_text() or "")
            self._report()
        if not self._borrows:
            self._frozen.settle()

    def ended(self) -> dict[str, Any] | None:
        """Tidy up after an earlier attempt that died when all was done, before Airflow knew of it.

        :return: what the task returns, without samples of errors; None where there is something left to do.
        """
        outcome = self._ledger.outcome
        if outcome is None:
            return None
        _log.warning(
            "An earlier attempt has ended the load, and died before Airflow knew of it: nothing is sent again. To load "
            "what the query returns now, start another run"
        )
        self._ledger.forget(outcome)
        self.clear()
        return self.summary(outcome)

    def concluded(self) -> dict[str, Any] | None:
        """Finish a load that an earlier attempt ended, but could not report to the table.

        :return: what the task returns; None where there is a load to do.
        """
        text = self._frozen.loaded() if self._reports else None
        if text is None:
            return None
        report = LoadReport.from_json(text, str(self.results_path))
        _log.info("An earlier attempt has loaded the rows; their outcomes go into %s", self._spec.results_table)
        with self._frozen.private():
            self._table.write(report, self._frozen.outcomes, self._writer)
        self._frozen.settle()
        self._ledger.forget(report.outline())
        self.clear()
        return self.summary(report.summary())

    def clear(self) -> None:
        """Remove the rows, once the ledger has forgotten them as well."""
        if self._spec.keep_staged:
            _log.info("The rows stay in %s (keep_staged)", self._frozen.path)
        elif not self._borrows:
            self._frozen.sweep()

    def summary(self, loaded: dict[str, Any]) -> dict[str, Any]:
        """What the task returns.

        :param loaded: what the load returns.
        """
        own = self.results_path is not None and self.results_path == self._frozen.results
        gone = dict.fromkeys(("receipt", "results_path")) if own and not self._spec.keep_staged else {}
        staged = self._frozen.path if self._spec.keep_staged else None
        return {**loaded, **gone, "staged_path": staged, "results_table": self._spec.results_table}

    @contextmanager
    def _refused_rows(self) -> Iterator[None]:
        """Rows that were refused before any was sent are not what a later attempt should read: they were corrected."""
        try:
            yield
        except ConfigurationError:
            if not self._begun:
                self._frozen.settle()
            raise

    @contextmanager
    def _private(self) -> Iterator[None]:
        if self.results_path == self._frozen.results:
            with self._frozen.private():
                yield
        else:
            yield

    def _report(self) -> None:
        if self.results_path is None:
            return
        report = LoadReport.from_json(self._report_text() or "", self.results_path)
        with self._frozen.private():
            self._table.write(report, self._frozen.outcomes, self._writer)

    def _report_text(self) -> str | None:
        if self.results_path is None:
            return None
        return OutputFolder(self.results_path, "results_path").receipt_text()

    @cached_property
    def _table(self) -> ResultsTable:
        from airflow_provider_sfjwt.tasks.results_table import ResultsTable

        spec = self._spec
        rows = PublishedDataSet(self._frozen.rows)
        return ResultsTable(str(spec.results_table), spec.sql_conn_id, spec.key_columns, rows)

    def _connection_type(self) -> str:
        try:
            return compat.sql_connection_type(self._spec.sql_conn_id)
        except compat.AirflowNotFoundException:
            fault = {"sql_conn_id": f"there is no connection '{self._spec.sql_conn_id}'"}
            raise ConfigurationError(fault, subject="the task") from None
