"""New values of formula fields, which change without their row's ``SystemModstamp``: no window has them.

Every ``refresh_formulas`` seconds, ``Id`` and these fields are read in all rows of an object, and the rows whose values
differ from those of the chain become a link of it. What the chain has is known by hashes in ``_formulas.arrow`` beside
the state. The chain is the truth: the file names the receipt up to which it was made, what was published after that is
applied to it, and where it is lost it is made again from the chain.

https://docs.databricks.com/gcp/en/ingestion/lakeflow-connect/salesforce-formula-fields
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.compat.csv_text import csv_text
from airflow_provider_sfjwt.exceptions import ProtocolError, counted
from airflow_provider_sfjwt.extract.columns import columns_of_sobject
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder, made_up_stem
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.data_sets.receipt import FORMULAS, ChainLink, Receipt, column_entry, schema_hash
from airflow_provider_sfjwt.files.formats.registry import OutputFormat, WrittenPage
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.sync.chain import last_window, newest_first
from airflow_provider_sfjwt.sync.drift import asked_fields, retyped
from airflow_provider_sfjwt.sync.root import formulas_folder
from airflow_provider_sfjwt.sync.state import ObjectState, States
from airflow_provider_sfjwt.sync.turn import Turn

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.salesforce.wire.flow import Body
    from airflow_provider_sfjwt.sync.formula_hashes import FormulaHashes

log = logging.getLogger(__name__)

#: The file of hashes, in the object's folder.
HASHES_NAME = "_formulas.arrow"
#: Rows of a part.
_MOST_ROWS = 1_000_000
#: Each page that arrives takes memory, and nobody waits for these rows.
_PAGES_AT_ONCE = 2


def refresh_formulas(org: ConnectedOrg, turn: Turn, states: States, run: str) -> ObjectState:
    """Publish the rows whose formula fields have other values than the chain, where it is time to look.

    :param org: where the object is.
    :param turn: the object's turn, before its window.
    :param states: of the root's objects.
    :param run: eight characters of the run.
    :return: the state after it.
    :raises SalesforceError: and nothing is published.
    """
    every, state = turn.spec.refresh_formulas, turn.state
    if every is None or turn.cursor_field is None or state.reached is None:  # all rows come in any case
        return state
    now = org.run(org_api.server_time).replace(microsecond=0)
    if state.formulas_reached and now - datetime.fromisoformat(state.formulas_reached) < timedelta(seconds=every):
        return state
    columns = _formulas(turn)
    if columns:
        with TemporaryDirectory(prefix="sfjwt-formulas-") as name:
            published = _Refresh(org, turn, columns, Path(name), formulas_folder(state.sequence + 1, now, run)).run()
        if published is not None:
            return states.published(state, published)
    state = replace(state, formulas_reached=now.isoformat())
    states.write(state)
    return state


def _formulas(turn: Turn) -> tuple[Column, ...]:
    """The columns to read: those that the chain has as well. A new field comes with the next window."""
    columns = columns_of_sobject(turn.described, asked_fields(turn), None)
    last = last_window(turn.root, turn.state)
    if retyped(last, columns, turn.spec.numbers):  # which the window refuses, with what to do
        return ()
    in_chain = {each["name"] for each in last.columns}
    return tuple(
        column.kept_as(turn.spec.numbers) for column in columns if column.is_unstamped and column.name in in_chain
    )


@dataclass
class _Refresh:
    """One look at all rows.

    :param org: where the object is.
    :param turn: the object's turn.
    :param columns: to read.
    :param scratch: a folder of the worker.
    :param folder: name of the data set's folder, where there is something to publish.
    """

    org: ConnectedOrg
    turn: Turn
    columns: tuple[Column, ...]
    scratch: Path
    folder: str

    def run(self) -> str | None:
        """Read, compare and publish.

        :return: the name of the folder that was published; None where no value differs.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.sync.formula_hashes import FormulaHashes

        started, org = time.monotonic(), self.org.part()
        read = self._read(org)
        pa.default_memory_pool().release_unused()  # what the extract took
        rows = read.receipt.records + self.turn.state.records
        hashes = FormulaHashes(self.scratch, [column.arrow_field() for column in self.columns], rows)
        self._know_chain(hashes)
        names = [each["name"] for each in read.receipt.columns]
        marks = hashes.compare(read.tables(names))
        log.info(
            "%s: %s of %s have other values of formula fields (%s)",
            self.turn.sobject,
            counted(hashes.differing, "row"),
            counted(read.receipt.records, "row"),
            ", ".join(column.name for column in self.columns),
        )
        receipt_sha256 = self.turn.state.receipt_sha256
        if hashes.differing:
            receipt_sha256 = self._publish(read, marks, org.session.usage.calls, started)
        self._keep(hashes, receipt_sha256 or "")
        return self.folder if hashes.differing else None

    def _read(self, org: ConnectedOrg) -> PublishedDataSet:
        """The values that the org has now, in a folder of the worker."""
        spec, turn = self.turn.spec, self.turn
        output_path = f"file://{self.scratch}/current"
        with_deleted = turn.described.field("IsDeleted") is not None  # a plain query leaves archived activities out
        conditions = [f"({turn.asked.where})"] if turn.asked.where else []
        asked = ExtractSpec(
            output_path=output_path,
            sobject=turn.sobject,
            fields=["Id", *(column.name for column in self.columns)],
            where=" AND ".join([*conditions, *(["IsDeleted = false"] if with_deleted else [])]) or None,
            include_deleted=with_deleted,
            file_format="parquet",
            numbers=spec.numbers,
            parallel_pages=min(spec.parallel_pages, _PAGES_AT_ONCE),
            transport="rest" if turn.state.only_rest else turn.asked.transport,
            min_api_calls_left=spec.min_api_calls_left,
            poll_interval=spec.poll_interval,
            timeout=spec.timeout,
        )
        Extraction(org, asked, described=turn.described, rest_limits=spec.rest_limits).run()
        return PublishedDataSet(output_path)

    # -- what the chain has --------------------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        """The columns that a file of hashes is of."""
        return json.dumps([column_entry(column) for column in self.columns])

    def _know_chain(self, hashes: FormulaHashes) -> None:
        """Take the hashes that were kept, and apply what was published since; all of the chain where there are none."""
        kept, since = self._kept(), list[PublishedDataSet]()
        for data_set in newest_first(self.turn.root, self.turn.state):
            if kept is not None and kept.schema.metadata[b"receipt_sha256"] == data_set.receipt_sha256.encode():
                hashes.know(map(kept.get_batch, range(kept.num_record_batches)))
                break
            since.append(data_set)
        for data_set in reversed(since):
            names = {each["name"] for each in data_set.receipt.columns}
            wanted = ["Id", *(column.name for column in self.columns if column.name in names)]
            hashes.know_rows(data_set.tables(wanted), unknown=data_set.receipt.only_formulas)

    def _kept(self) -> pa.ipc.RecordBatchFileReader | None:
        """The hashes that were kept of these columns; None where there are none that can be read."""
        import pyarrow as pa
        import pyarrow.ipc as ipc

        from airflow_provider_sfjwt.sync.formula_hashes import SCHEMA

        copy = self.scratch / "kept.arrow"  # the format takes jumps, which cost requests in an object store
        if not self.turn.root.copy_to(copy, self.turn.sobject, HASHES_NAME):
            return None
        try:
            reader = ipc.open_file(pa.memory_map(str(copy)))
        except pa.ArrowInvalid as error:
            log.warning("%s of %s is damaged (%s), and is made again", HASHES_NAME, self.turn.sobject, error)
            return None
        is_of_these = (reader.schema.metadata or {}).get(b"columns") == self._what.encode()
        return reader if is_of_these and reader.schema.equals(SCHEMA) else None

    def _keep(self, hashes: FormulaHashes, receipt_sha256: str) -> None:
        """Write the hashes beside the state, before it: a run that ends here leaves hashes of a link of the chain."""
        with self.turn.root.writing(self.turn.sobject, HASHES_NAME) as file:
            hashes.keep(file, {"columns": self._what, "receipt_sha256": receipt_sha256})

    # -- the link ------------------------------------------------------------------------------------------------------

    def _publish(self, read: PublishedDataSet, marks: pa.Buffer, calls: int, started: float) -> str:
        """Publish the rows that differ, as the next link of the chain.

        :return: the SHA-256 of the receipt.
        """
        spec, state = self.turn.spec, self.turn.state
        file_format = OutputFormat(spec.file_format, spec.compression)
        folder = DataSetFolder(f"{self.turn.root.object_path(self.turn.sobject)}/{self.folder}")
        columns = (Column("Id", "id"), *self._as_read(read.receipt))
        stem, pages = made_up_stem(FORMULAS), list[WrittenPage]()
        with storage_errors(folder.path):
            folder.prepare(file_format, spec.written_by)
            for body in _bodies(_marked(read, marks, [column.name for column in columns]), columns):
                pages.append(folder.write_page(len(pages), stem, file_format, body, columns))
            link = ChainLink(
                sequence=state.sequence + 1,
                previous=state.previous,
                cursor_field=self.turn.cursor_field,
                condition_sha256=spec.condition_sha256(self.turn.sobject, self.turn.cursor_field),
            )
            entries = tuple(column_entry(column) for column in columns)
            receipt = replace(
                read.receipt,
                window=None,
                records=sum(page.records for page in pages),
                parts=tuple(page.part for page in pages),
                columns=entries,
                file_format=spec.file_format,
                api_calls=calls,
                seconds=round(time.monotonic() - started, 3),
                written_by=spec.written_by,
                kind=FORMULAS,
                schema_sha256=schema_hash(entries),
                output_path=folder.path,
                **link.in_receipt(),
            )
            folder.publish(receipt)
            folder.clear_replaced()
        log.info("Published %s in %s", counted(receipt.records, "row"), folder.path)
        return PublishedDataSet(folder.path).receipt_sha256

    def _as_read(self, receipt: Receipt) -> Iterator[Column]:
        """The columns, those as doubles whose numbers did not fit."""
        return (column.widened() if column.name in (receipt.widened or ()) else column for column in self.columns)


def _marked(read: PublishedDataSet, marks: pa.Buffer, names: Sequence[str]) -> Iterator[pa.Table]:
    """The rows that a bit is set for."""
    import pyarrow as pa

    start = 0
    for table in read.tables(names):
        mask = pa.BooleanArray.from_buffers(pa.bool_(), table.num_rows, [None, marks], offset=start)
        start += table.num_rows
        found = table.filter(mask)
        if found.num_rows:
            yield found


def _bodies(tables: Iterable[pa.Table], columns: Sequence[Column]) -> Iterator[Body]:
    """The rows as pages of CSV, as Salesforce sends them: every format is written from that."""
    rows = iter(tables)
    for first in rows:
        with TemporaryFile() as body:
            text = TextIOWrapper(body, encoding="utf-8", newline="", write_through=True)
            text.write(csv_text([[column.name for column in columns]]))
            written = 0
            for table in chain([first], rows):
                text.write(csv_text(zip(*(_cells(table[each.name], each) for each in columns), strict=True)))
                written += table.num_rows
                if written >= _MOST_ROWS:
                    break
            body.seek(0)
            yield body
            text.detach()


def _cells(values: pa.ChunkedArray, column: Column) -> list[str | None]:
    """A column as Salesforce sent it."""
    from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of

    cells, unfit = cells_of(values, Form(column.type))
    if unfit:
        raise ProtocolError(f"{column.name} holds {unfit[0].text}, which cannot be written: {unfit[0].why}")
    written: list[str | None] = cells.to_pylist()
    return written
