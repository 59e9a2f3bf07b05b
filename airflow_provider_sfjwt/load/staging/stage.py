"""Reading, checking and staging all rows of a load before any is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.storage.errors import TEMPORARY, storage_errors
from airflow_provider_sfjwt.files.values.from_arrow import salesforce_text
from airflow_provider_sfjwt.load.columns import LoadColumn, load_columns
from airflow_provider_sfjwt.load.reading.source import LoadSource
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.load.staging.plain_form import in_plain_form
from airflow_provider_sfjwt.load.staging.row_checks import RowChecks, key_column
from airflow_provider_sfjwt.load.staging.row_faults import RowFaults
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
    """

    source: LoadSource
    columns: tuple[LoadColumn, ...]
    parts: tuple[JobFile, ...]
    folder: Path

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)


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
    headers, group_by = [column.header for column in columns], _group_header(columns, spec.group_by)
    with Staging(headers, part_bytes=spec.part_bytes, group_by=group_by) as staging:
        with storage_errors(str(staging.folder), TEMPORARY):
            _add_checked(staging, source, columns, spec)
            parts = tuple(staging.parts())
        rows = sum(part.rows for part in parts)
        log.info("Checked %d rows of %s; parts to send: %d", rows, ", ".join(source.files), len(parts))
        yield StagedLoad(source, columns, parts, staging.folder)


def _add_checked(staging: Staging, source: LoadSource, columns: Sequence[LoadColumn], spec: LoadSpec) -> None:
    """Check all rows and stage them, until the first fault; from there on only check."""
    key = key_column(columns, spec.action, spec.external_id_field)
    checks, keys = RowChecks(columns, spec.action, key), DuplicateKeys(key) if key is not None else None
    headers, names = [column.header for column in columns], [column.source for column in columns]
    faults = RowFaults()
    unfit: set[tuple[str, str]] = set()
    for piece in source.pieces(names):
        faults.add(piece.faults)
        text, misfits = salesforce_text(piece.table, null_policy=spec.null_policy, first_row=piece.first_row)
        # A column that cannot be text is reported once for each file.
        new = [(column, message) for column, message in misfits if (piece.file, column) not in unfit]
        unfit |= {(piece.file, column) for column, _ in new}
        faults.add([Fault(piece.file, None, column, message) for column, message in new])
        if misfits:
            continue
        table = in_plain_form(text.rename_columns(headers), columns)
        faults.add_findings(checks.findings(table), piece)
        if keys is not None:
            keys.add(table, piece)
        if not faults.total:
            staging.add(table, piece.first_position)
    if keys is not None:
        faults.add_duplicates(keys)
    faults.raise_any()


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
