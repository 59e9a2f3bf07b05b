"""The folder that holds the outcome of every row of a load: files and a receipt."""

from __future__ import annotations

import os.path
import posixpath
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.storage.file_writer import writing
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, OutputFile, Writer, kind_of_receipt
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
from airflow_provider_sfjwt.load.reading.source import ROWS
from airflow_provider_sfjwt.load.reading.source_argument import WILDCARD, paths_of
from airflow_provider_sfjwt.load.report import LoadReport
from airflow_provider_sfjwt.load.staging.parts import bytes_of, encoded
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.reading.source_argument import Source

Kind = Literal["succeeded", "failed", "unprocessed", "skipped", "faults"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_RESULT_FILE = re.compile(rf"(?:{'|'.join(_KINDS)})-\d{{5,}}-[0-9a-f]{{12}}\.csv")
_DRY_RUN_NAME = "_dry_run.json"
#: The name of the file by which a load claims the folder while it publishes: the time in seconds since the epoch, and
#: which load it is.
_CLAIM = re.compile(r"_publishing-(?P<since>\d+)-(?P<whose>[0-9a-f]{12})")
#: Seconds after which a claim has expired. Publishing takes as long as writing two small files.
_CLAIM_SECONDS = 300
#: Names that results may have.
_SAMPLE_NAMES = (*(f"{kind}-00000-0123456789ab.csv" for kind in _KINDS), RECEIPT_NAME, _DRY_RUN_NAME)
_OWN_FOLDER = (
    "Give each task a folder of its own, e.g. …/{{ ti.task_id }}, and each instance of a mapped task, e.g. "
    "…/{{ ti.map_index }}"
)


@dataclass(frozen=True)
class RowsWithOutcome:
    """Rows as they were sent, and the columns that tell their outcome.

    :param cells: text without null for each new column: an array, or one text that is the same in all rows.
    :param records: each row as CSV, with its line feed.
    """

    cells: Sequence[pa.StringArray | pa.StringScalar]
    records: pa.StringArray


class ResultsFolder:
    """The folder for the results of one load.

    The files are written first and the receipt last, as by an extract. Then the files of an older load are removed.

    :param path: e.g. ``s3://conn_id@bucket/results/ds=2026-11-20``.
    :param writer: the task instance that writes; None outside a task.
    """

    def __init__(self, path: str, writer: Writer | None = None) -> None:
        self._folder = OutputFolder(path, "results_path")
        self.path = self._folder.path
        self._writer = writer
        self._token = uuid.uuid4().hex[:12]
        # A claim left by a killed attempt of this task does not block its retry.
        self._whose = sha256(repr(writer).encode()).hexdigest()[:12] if writer is not None else self._token
        self._found: str | None = None
        self._older: set[str] = set()

    def prepare(self, *, begun: bool = False) -> None:
        """Check that the folder can be written and holds no data of others.

        :param begun: whether an earlier attempt has sent rows.
        :raises ConfigurationError: when it cannot be written, or holds an extract or the results of another task of the
            same DAG run.
        """
        self._folder.prove_writable()
        self._found = self._folder.receipt_text()
        self._refuse_foreign(begun)
        self._older = {name for name in self._folder.sizes() if _RESULT_FILE.fullmatch(name)}

    def _refuse_foreign(self, begun: bool) -> None:
        if self._found is None:
            return
        kind = kind_of_receipt(self._found)
        if kind != "load":
            whose = (
                "holds an extract" if kind == "extract" else f"holds a {RECEIPT_NAME} that was not written by a load"
            )
            raise ConfigurationError(
                {"results_path": f"{self.path} {whose}, which the results would replace. {_OWN_FOLDER}"},
                subject="the task",
            )
        other = _writer_of(self._found)
        if self._writer is not None and other is not None and self._writer.conflicts_with(other):
            sent = " The rows that an earlier attempt sent stay in Salesforce and in its ledger." if begun else ""
            raise ConfigurationError(
                {
                    "results_path": f"{self.path} holds the results of {other} of the same DAG run, which those of "
                    f"this task would replace. {_OWN_FOLDER}.{sent}"
                },
                subject="the task",
            )

    def keep_apart_from(self, source: Source, files: Sequence[str]) -> None:
        """Check that a retry would not read the results as rows.

        :param source: of the load, as the task names it.
        :param files: that were found by it.
        :raises ConfigurationError: when the results would lie among the files of the source, or match its glob.
        """
        if tuple(files) == (ROWS,) or not (met := self._meets(source, files)):
            return
        raise ConfigurationError(
            {
                "results_path": f"{self.path} {met}, so that a retry would read the results as rows. Give the results "
                "a folder of their own, beside that of the source"
            },
            subject="the task",
        )

    def _meets(self, source: Source, files: Sequence[str]) -> str | None:
        """What of the source the folder has to do with; None where it lies apart."""
        from fsspec.utils import glob_translate

        storage, folder = _storage_and_path(self.path)
        inside = f"{folder.rstrip('/')}/"
        for file in files:
            other, path = _storage_and_path(file)
            if other == storage and f"{posixpath.dirname(path)}/".startswith(inside):
                return f"is the folder of the source's {file}, or one above it"
        for each in filter(WILDCARD.search, paths_of(source)):
            other, pattern = _storage_and_path(each)
            matches = re.compile(glob_translate(pattern)).match
            if other == storage and any(matches(inside + name) for name in _SAMPLE_NAMES):
                return f"would hold files whose names the source's {each} matches"
        return None

    def write(self, kind: Kind, number: int, table: pa.Table) -> OutputFile:
        """Write one file of results.

        :param kind: what became of its rows.
        :param number: of the part.
        :param table: the rows.
        """
        return self._write(kind, number, [(encoded(table, header=True), table.num_rows)])

    def write_rows(
        self, kind: Kind, number: int, columns: Sequence[str], pieces: Iterable[RowsWithOutcome]
    ) -> OutputFile:
        """Write one file of results: new columns, followed by the rows as they were sent.

        :param kind: what became of its rows.
        :param number: of the part.
        :param columns: the header.
        :param pieces: the rows.
        """
        no_rows = pa.table([pa.nulls(0, pa.string())] * len(columns), names=list(columns))
        head = [(encoded(no_rows, header=True), 0)]
        return self._write(kind, number, chain(head, ((_as_csv(each), len(each.records)) for each in pieces)))

    def _write(self, kind: Kind, number: int, pieces: Iterable[tuple[pa.Buffer | memoryview, int]]) -> OutputFile:
        path = self._folder / f"{kind}-{number:05d}-{self._token}.csv"
        records = 0
        with storage_errors(self.path, "results_path"), writing(path) as file:
            for data, rows in pieces:
                file.write(data)
                records += rows
        return OutputFile(path.name, records, file.bytes, file.sha256)

    def publish(self, report: LoadReport, *, dry_run: bool = False) -> None:
        """Write the receipt, then remove what it replaces.

        :param report: of the files, all of which are written.
        :param dry_run: whether nothing was sent. The report then gets another name, and an earlier load's files stay.
        :raises SalesforceError: when another load has published here since :meth:`prepare`, or is publishing now. Its
            files are left as they are.
        """
        with storage_errors(self.path, "results_path"):
            if dry_run:
                self._folder.write_whole(_DRY_RUN_NAME, report.to_json())
                return
            text = report.to_json()
            with self._alone(report):
                self._folder.write_whole(RECEIPT_NAME, text)
                self._found = text
            self._clear_replaced(report)

    @contextmanager
    def _alone(self, report: LoadReport) -> Iterator[None]:
        """Claim the folder, then check that no other load has claimed it or has published.

        Storages list what was written before. So of two loads that publish at the same time, at least one sees the
        other's claim or receipt.
        """
        claim = self._folder / f"_publishing-{int(time.time())}-{self._whose}"
        claim.write_text("", encoding="utf-8")
        try:
            there, written = self._folder.sizes(), {part.name: part.bytes for part in report.parts}
            intact = all(there.get(name) == size for name, size in written.items())
            if any(map(self._holds, there)) or not intact or self._folder.receipt_text() != self._found:
                raise self._conflict(report)
            yield
        finally:
            claim.unlink(missing_ok=True)

    def _holds(self, name: str) -> bool:
        """Whether a file is another load's claim that has not expired."""
        claim = _CLAIM.fullmatch(name)
        if claim is None or claim["whose"] == self._whose:
            return False
        return time.time() - int(claim["since"]) < _CLAIM_SECONDS

    def _conflict(self, report: LoadReport) -> SalesforceError:
        text = self._folder.receipt_text()
        other = _writer_of(text) if text is not None and text != self._found else None
        there, counts = self._folder.sizes(), report.counts
        left = f" This load's own results lie there unlisted, as *-{self._token}.csv." * all(
            part.name in there for part in report.parts
        )
        return SalesforceError(
            f"the rows were sent to {report.sobject} ({counts['succeeded']} succeeded, {counts['failed']} failed, "
            f"{counts['unprocessed']} unprocessed), and their results could not be published: "
            f"{other or 'another load'} wrote its own results to {self.path} (results_path) meanwhile, which were left "
            f"as they are. {_OWN_FOLDER}; then clear the task. It does not send rows again that Salesforce accepted "
            f"over Bulk API 2.0.{left}"
        )

    def report(self) -> LoadReport | None:
        """The report that lies there, or None."""
        text = self._folder.receipt_text()
        return None if text is None else LoadReport.from_json(text, self.path)

    def _clear_replaced(self, report: LoadReport) -> None:
        """Remove the result files of older and of broken loads that were there when this load began.

        Later files may belong to a load that is still running.
        """
        if self._folder.receipt_text() != self._found:
            return  # another load has published since, and the files may be its own
        listed = {part.name for part in report.parts}
        there = self._folder.sizes()
        dead = {name for name in there if _CLAIM.fullmatch(name) and not self._holds(name)}
        self._folder.remove(sorted((self._older & there.keys()) - listed | dead))


def _writer_of(text: str) -> Writer | None:
    """Who wrote a report, of any version."""
    try:
        return Writer.from_json(decode_json(text).get("written_by"))
    except (ValueError, KeyError, AttributeError):
        return None


def _as_csv(piece: RowsWithOutcome) -> memoryview:
    """The rows as CSV, without parsing them: the text of each is copied after its new cells."""
    cells = [pc.replace_substring(each, '"', '""') for each in piece.cells]
    new = pc.binary_join_element_wise(*cells, scalar('","'))
    return bytes_of(pc.binary_join_element_wise(scalar('"'), new, scalar('",'), piece.records, scalar("")))


def _storage_and_path(text: str) -> tuple[str, str]:
    """The kind of storage, and the path there without links and dots. From the first wildcard on it stays as it is."""
    path = storage_path(text)
    if not is_local(path):
        return path.protocol, posixpath.normpath(path.path)
    fixed = path.path
    if wildcard := WILDCARD.search(fixed):
        fixed = fixed[: wildcard.start()].rpartition("/")[0] + "/"
    rest = path.path[len(fixed) :]
    return "file", posixpath.join(os.path.realpath(fixed), rest) if rest else os.path.realpath(fixed)
