"""Reading, checking and staging all rows of a load before any is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ConfigurationError, counted
from airflow_provider_sfjwt.files.storage.errors import TEMPORARY, storage_errors
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar
from airflow_provider_sfjwt.load.columns import LoadColumn, is_key, load_columns
from airflow_provider_sfjwt.load.reading.source import LoadSource, SourcePiece
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys, RepeatedRows
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.load.staging.row_checks import RowChecks, key_column
from airflow_provider_sfjwt.load.staging.row_faults import RowFaults
from airflow_provider_sfjwt.load.staging.sent_cells import SentCells
from airflow_provider_sfjwt.load.staging.skipped_rows import Skipped, SkippedRows, faults_by_row
from airflow_provider_sfjwt.load.staging.staging import Staging
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagedLoad:
    """All rows of a load, checked and on this machine's disk.

    :param source: where they came from.
    :param columns: what of them is sent.
    :param parts: files, each of a size that one job takes.
    :param folder: on this machine's disk, for further files.
    :param skipped: the rows that are not sent because they are faulty; None where there are none.
    """

    source: LoadSource
    columns: tuple[LoadColumn, ...]
    parts: tuple[JobFile, ...]
    folder: Path
    skipped: Skipped | None = None

    @property
    def rows(self) -> int:
        """How many rows are sent."""
        return sum(part.rows for part in self.parts)

    @property
    def keys(self) -> list[str]:
        """The headers of the columns that name a record, the surest first."""
        named = [column for column in self.columns if column.reference is None and is_key(column.field)]
        return [column.header for column in sorted(named, key=lambda column: column.field["type"] != "id")]

    @property
    def read(self) -> int:
        """How many rows the source has."""
        return self.rows + (self.skipped.file.rows if self.skipped is not None else 0)


@contextmanager
def staged(org: ConnectedOrg, spec: LoadSpec, source: LoadSource) -> Iterator[StagedLoad]:
    """Read, check and stage all rows. They stay on this machine's disk until the block ends.

    :param org: whose descriptions the rows are checked against.
    :param spec: what is asked for.
    :param source: the rows.
    :raises ConfigurationError: for columns, and
        :class:`~airflow_provider_sfjwt.load.staging.row_faults.RowFaultsError` for rows, that Salesforce would refuse.
    """
    if not source.columns:  # a list without rows, e.g. of a query that found nothing
        yield StagedLoad(source, (), (), Path())
        return
    columns = load_columns(
        org,
        spec.sobject,
        spec.action,
        source.columns,
        column_mapping=spec.column_mapping,
        external_id_field=spec.external_id_field,
    )
    with _staging(spec, columns) as staging:
        checked = _Checked(staging, source, columns, spec)
        repeated = checked.add_all()
        if not len(repeated):
            yield checked.staged()
            return
        checked.abandon()
    # Only after all rows are read is it known which of them have the key of an earlier one.
    with _staging(spec, columns) as staging:
        checked = _Checked(staging, source, columns, spec)
        checked.add_all(repeated)
        yield checked.staged()


def _staging(spec: LoadSpec, columns: Sequence[LoadColumn]) -> Staging:
    headers = [column.header for column in columns]
    return Staging(headers, part_bytes=spec.part_bytes, group_by=_group_header(columns, spec.group_by))


class _Checked:
    """Checks the rows of a source and stages them.

    :param staging: for the rows.
    :param source: of the rows.
    :param columns: what of them is sent.
    :param spec: what is asked for.
    """

    def __init__(self, staging: Staging, source: LoadSource, columns: Sequence[LoadColumn], spec: LoadSpec) -> None:
        self._staging = staging
        self._source = source
        self._columns = tuple(columns)
        key = key_column(columns, spec.action, spec.external_id_field)
        self._checks = RowChecks(columns, spec.action, key)
        self._keys = DuplicateKeys(key) if key is not None else None
        self._cells = SentCells(columns, spec)
        self._skipped = SkippedRows(staging.folder, columns) if spec.on_invalid == "skip" else None

    def add_all(self, repeated: RepeatedRows | None = None) -> RepeatedRows:
        """Check all rows and stage them.

        :param repeated: rows that are known to have the key of an earlier one; None where they are to be found.
        :return: those that were found and must be skipped, which means that all rows are to be staged once more.
        :raises RowFaultsError: for faulty rows that are not to be skipped.
        """
        names = [column.source for column in self._columns]
        with storage_errors(str(self._staging.folder), TEMPORARY):
            if self._skipped is None:
                self._add_faultless(names)
                return RepeatedRows()
            for piece in self._source.pieces(names):
                self._add_good(piece, self._skipped, repeated or RepeatedRows())
        return self._keys.repeated() if self._keys is not None and repeated is None else RepeatedRows()

    def abandon(self) -> None:
        """Close what is open."""
        if self._skipped is not None:
            self._skipped.close()

    def staged(self) -> StagedLoad:
        """Finish the files, once all rows are added."""
        with storage_errors(str(self._staging.folder), TEMPORARY):
            parts = tuple(self._staging.parts())
            skipped = self._skipped.close() if self._skipped is not None else None
        load = StagedLoad(self._source, self._columns, parts, self._staging.folder, skipped)
        files = ", ".join(self._source.files)
        log.info("Checked %s of %s; parts to send: %d", counted(load.read, "row"), files, len(parts))
        if skipped is not None:
            file, row = self._source.locate(skipped.position)
            log.warning(
                "Faulty, and skipped: %s, e.g. %s row %d: %s",
                counted(skipped.file.rows, "row"),
                file,
                row,
                skipped.message,
            )
        return load

    def _add_faultless(self, names: Sequence[str]) -> None:
        """Stage the rows until the first fault; from there on only check."""
        faults = RowFaults()
        for piece in self._source.pieces(names):
            sent = self._cells.of(piece)
            faults.add_piece(sent, self._checks.findings(sent.table))
            if self._keys is not None:
                self._keys.add(sent.table, sent, skipped=sent.unread)
            if not faults.total:
                self._staging.add(sent.table, sent.first_position)
        if self._keys is not None:
            faults.add_duplicates(self._keys)
        faults.raise_any()

    def _add_good(self, piece: SourcePiece, skipped: SkippedRows, repeated: RepeatedRows) -> None:
        """Stage the rows of a piece that have no fault, and keep the others with theirs."""
        originals: dict[tuple[int, int], str] = {}
        sent = self._cells.of(piece, originals)
        twice = repeated.faults(piece.first_position, piece.first_position + piece.table.num_rows)
        wrong = faults_by_row(replace(sent, faults=(*sent.faults, *twice)), self._checks.findings(sent.table))
        if self._keys is not None:
            self._keys.add(sent.table, sent, skipped=wrong)
        if wrong:
            skipped.add(sent, wrong, originals)
        good = integers(row for row in range(sent.table.num_rows) if row not in wrong)
        self._staging.add_some(sent.table.take(good), pc.add(good, scalar(sent.first_position)))


def _group_header(columns: Sequence[LoadColumn], group_by: str | None) -> str | None:
    if group_by is None:
        return None
    for column in columns:
        if group_by.lower() in (column.source.lower(), column.header.lower()):
            return column.header
    names = ", ".join(column.source for column in columns)
    raise ConfigurationError(
        {"group_by": f"the source has no column {group_by} that is sent; it has {names}"}, subject="the task"
    )
