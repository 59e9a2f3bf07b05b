"""Reading, checking and staging all rows of a load before any is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.load.columns import LoadColumn, load_columns
from airflow_provider_sfjwt.load.spec import LoadOrder
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.formats.faults import Fault
    from airflow_provider_sfjwt.load.reading.source import LoadSource
    from airflow_provider_sfjwt.load.staging.parts import StagedPart, Staging

log = logging.getLogger(__name__)

#: So many faults are shown in the error; the results folder has more.
_SHOWN = 20
#: And so many in the results folder.
_KEPT = 1_000


@dataclass(frozen=True)
class StagedLoad:
    """All rows of a load, checked and on this machine's disk.

    :param source: where they came from.
    :param columns: what of them is sent.
    :param parts: files, each of which fits into one job.
    :param folder: on this machine's disk, for further files.
    """

    source: LoadSource
    columns: tuple[LoadColumn, ...]
    parts: tuple[StagedPart, ...]
    folder: Path

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)


class RowFaultsError(ConfigurationError):
    """Rows that Salesforce would refuse, told before anything is sent.

    :param faults: at most 1,000 of them.
    :param total: how many there are in all.
    """

    def __init__(self, faults: Sequence[Fault], total: int) -> None:
        self.faults = tuple(faults)
        self.total = total
        shown = "; ".join(_told(fault) for fault in faults[:_SHOWN])
        more = f"; and {total - _SHOWN:,} more" if total > _SHOWN else ""
        super().__init__(
            {"source": f"{total:,} fault{'s' * (total != 1)} in its rows, so nothing was sent: {shown}{more}"},
            subject="the load",
        )

    def table(self) -> pa.Table:
        """The faults as a table: ``file``, ``row``, ``column`` and ``message``, all text."""
        import pyarrow as pa

        names = ("file", "row", "column", "message")
        cells = {name: [getattr(fault, name) for fault in self.faults] for name in names}
        texts = {name: [None if cell is None else str(cell) for cell in each] for name, each in cells.items()}
        return pa.table(texts, schema=pa.schema([(name, pa.string()) for name in names]))


@contextmanager
def staged(org: ConnectedOrg, order: LoadOrder) -> Iterator[StagedLoad]:
    """Read, check and stage all rows. They lie on this machine's disk for as long as the block lasts.

    :param org: whose descriptions the rows are checked against.
    :param order: what is to be loaded.
    :raises ConfigurationError: for columns, and :class:`RowFaultsError` for rows, that Salesforce would refuse.
    """
    from airflow_provider_sfjwt.files.storage.errors import TEMPORARY, storage_errors
    from airflow_provider_sfjwt.load.reading.source import LoadSource
    from airflow_provider_sfjwt.load.staging.parts import Staging

    source = LoadSource(order.source, file_format=order.file_format)
    _keep_results_apart(order, source)
    if not source.columns:  # a list without rows, e.g. of a query that found nothing
        yield StagedLoad(source, (), (), Path())
        return
    columns = load_columns(
        org,
        order.sobject,
        order.bulk_operation,
        source.columns,
        column_mapping=order.column_mapping,
        external_id_field=order.external_id_field,
    )
    headers, group_by = [column.header for column in columns], _group_header(columns, order.group_by)
    with Staging(headers, part_bytes=order.part_bytes, group_by=group_by) as staging:
        with storage_errors(str(staging.folder), TEMPORARY):
            _add_checked(staging, source, columns, order)
            parts = tuple(staging.parts())
        log.info(
            "Checked %d rows of %s; they make %d parts", sum(each.rows for each in parts), source.files, len(parts)
        )
        yield StagedLoad(source, columns, parts, staging.folder)


def _keep_results_apart(order: LoadOrder, source: LoadSource) -> None:
    """See that no retry would read results for rows: it would find another source than the first try.

    :raises ConfigurationError: when the results would lie among the files of the source, or match its glob.
    """
    from airflow_provider_sfjwt.load.outcomes.row_numbers import results_among

    if order.results_path is None or not (met := results_among(order.results_path, order.source, source.files)):
        return
    raise ConfigurationError(
        {
            "results_path": f"{order.results_path} {met}, so that a retry would take results for rows. Give the "
            "results a folder of their own, beside that of the source"
        },
        subject="the task",
    )


def _add_checked(staging: Staging, source: LoadSource, columns: Sequence[LoadColumn], order: LoadOrder) -> None:
    """Check all rows and stage them. What the checks know of each row is forgotten when this ends."""
    from airflow_provider_sfjwt.files.formats.faults import Fault
    from airflow_provider_sfjwt.files.values.from_arrow import salesforce_text
    from airflow_provider_sfjwt.load.staging.field_patterns import in_plain_form
    from airflow_provider_sfjwt.load.staging.row_checks import RowChecks

    checks = RowChecks(columns, order.bulk_operation, order.external_id_field)
    headers, names = [column.header for column in columns], [column.source for column in columns]
    faults: list[Fault] = []
    others = 0  # faults that the checks did not find, and so do not count
    broken: set[tuple[str, str | None]] = set()
    for piece in source.pieces(names):
        others += len(piece.faults)
        faults += piece.faults[: max(0, _KEPT - len(faults))]
        text, misfits = salesforce_text(piece.table, null_policy=order.null_policy, first_row=piece.first_row)
        new = [each for each in misfits if (piece.file, each[0]) not in broken]
        broken |= {(piece.file, each[0]) for each in new}
        others += len(new)
        faults += [Fault(piece.file, None, column, message) for column, message in new]
        if misfits:
            continue
        table = in_plain_form(text.rename_columns(headers), columns)
        told = {(fault.row, fault.column) for fault in piece.faults}
        found = checks.check(table, piece)
        others -= sum((fault.row, fault.column) in told for fault in found)
        faults += [fault for fault in found if (fault.row, fault.column) not in told]
        if not faults:
            staging.add(table, piece.first_position)
    faults += checks.finish()
    if faults:
        raise RowFaultsError(faults[:_KEPT], checks.total + others)


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


def _told(fault: Fault) -> str:
    place = fault.file if fault.row is None else f"{fault.file} row {fault.row}"
    column = f", column {fault.column}" if fault.column else ""
    return f"{place}{column}: {fault.message}"
