"""What became of a load's rows, as files and a receipt."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.storage.file_writer import writing
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, OutputFile, Writer, kind_of_receipt

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["succeeded", "failed", "unprocessed", "faults"]
REPORT_VERSION = 1
_OURS = re.compile(r"(?:succeeded|failed|unprocessed|faults)-\d{5,}-[0-9a-f]{12}\.csv")
_DRY_RUN_NAME = "_dry_run.json"
#: Says that a load is about to write its receipt, since when (in seconds since the epoch), and whose load.
_CLAIM = re.compile(r"_publishing-(?P<since>\d+)-(?P<whose>[0-9a-f]{12})")
#: Seconds after which whoever said so is taken for dead: it is said for as long as two small files take.
_CLAIM_HOLDS = 300
#: Names that results may have.
SAMPLE_NAMES = (
    *(f"{kind}-00000-0123456789ab.csv" for kind in ("succeeded", "failed", "unprocessed", "faults")),
    RECEIPT_NAME,
    _DRY_RUN_NAME,
)
_OWN_FOLDER = (
    "Give each task a folder of its own, e.g. …/{{ ti.task_id }}, and each instance of a mapped task, e.g. "
    "…/{{ ti.map_index }}"
)


@dataclass(frozen=True)
class LoadReport:
    """What a load did. The fields are those of its ``_receipt.json``, version 1.

    :param sobject: the object.
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param files: what was read.
    :param counts: rows that were ``read``, ``sent`` (none in a dry run), ``succeeded``, ``failed`` and left
        ``unprocessed``.
    :param errors_by_code: for each error code its ``count`` and a ``sample`` with ``file``, ``row``, ``message`` and
        ``fields``.
    :param jobs: ``id``, ``part``, ``state``, ``processed``, ``failed`` and ``error`` of each job.
    :param parts: the result files.
    :param api_calls: requests that counted against the org's allocation.
    :param seconds: that the load took.
    :param package_version: of this package.
    :param unprocessed_sample: ``file`` and ``row`` of the first rows that were left unprocessed, five at most.
    :param written_by: the task instance that wrote it, or None where there was none; the file lacks the key then.
    :param results_path: the folder; not part of the file, which can be moved with its folder.
    """

    sobject: str
    operation: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    errors_by_code: Mapping[str, Mapping[str, Any]]
    jobs: tuple[Mapping[str, Any], ...]
    parts: tuple[OutputFile, ...]
    api_calls: int
    seconds: float
    package_version: str
    unprocessed_sample: tuple[Mapping[str, Any], ...] = ()
    written_by: Writer | None = None
    results_path: str = ""
    report_version: int = field(default=REPORT_VERSION)

    def to_json(self) -> str:
        """The text of ``_receipt.json``."""
        content = {"report_version": self.report_version, **asdict(self)}
        del content["results_path"]
        if self.written_by is None:
            del content["written_by"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, results_path: str) -> LoadReport:
        """Read a report.

        :param text: of ``_receipt.json``.
        :param results_path: the folder it lies in.
        :raises ProtocolError: when it is no report, or one of a version that this package does not know.
        """
        try:
            content = json.loads(text)
            version = content.get("report_version")
            if version != REPORT_VERSION:
                raise ProtocolError(
                    f"{results_path} holds a report of version {version}, which this package cannot read"
                )
            known = {name: value for name, value in content.items() if name in cls.__dataclass_fields__}
            known["files"], known["jobs"] = tuple(content["files"]), tuple(content["jobs"])
            known["parts"] = tuple(OutputFile(**part) for part in content["parts"])
            known["unprocessed_sample"] = tuple(content.get("unprocessed_sample") or ())
            known["written_by"] = Writer.from_json(content.get("written_by"))
            return cls(**{**known, "results_path": results_path})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"{results_path}/{RECEIPT_NAME} is no report of a load: {error}") from None

    def summary(self) -> dict[str, Any]:
        """What an operator returns to XCom: small, and enough to find the rest."""
        job_ids = [job["id"] for job in self.jobs]
        return {
            "receipt": f"{self.results_path.rstrip('/')}/{RECEIPT_NAME}" if self.results_path else None,
            "results_path": self.results_path or None,
            "records": self.counts["succeeded"],
            "job_id": job_ids[0] if job_ids else None,
            "job_ids": job_ids,
            "counts": dict(self.counts),
            "errors": {code: dict(each) for code, each in self.errors_by_code.items()},
            "unprocessed_sample": [dict(row) for row in self.unprocessed_sample],
        }


@dataclass(frozen=True)
class Beside:
    """Rows as they were sent, and new columns.

    :param cells: text without null for each new column: an array, or one text that is the same in all rows.
    :param records: each row as CSV, with its line feed.
    """

    cells: Sequence[pa.StringArray | pa.StringScalar]
    records: pa.StringArray


class ResultsFolder:
    """The folder that the results of one load go into.

    Files come first and the receipt last, as with an extract. Files of an older load are removed after that.

    :param path: e.g. ``s3://conn_id@bucket/results/ds=2026-11-20``.
    :param writer: the task instance that writes, or None.
    """

    def __init__(self, path: str, writer: Writer | None = None) -> None:
        self._folder = OutputFolder(path, "results_path")
        self.path = self._folder.path
        self._writer = writer
        self._token = uuid.uuid4().hex[:12]
        # What a try that was killed has said holds for nobody but other tasks.
        self._whose = sha256(repr(writer).encode()).hexdigest()[:12] if writer is not None else self._token
        self._found: str | None = None
        self._older: set[str] = set()

    def prepare(self, *, begun: bool = False) -> None:
        """See that the folder can be written, and that nobody else's data lies there.

        :param begun: whether an earlier try has sent rows.
        :raises ConfigurationError: when it cannot, or when it is the folder of an extract, or of another task of the
            same DAG run.
        """
        self._folder.prove_writable()
        self._found = self._folder.receipt_text()
        self._refuse_foreign(begun)
        self._older = {name for name in self._folder.sizes() if _OURS.fullmatch(name)}

    def _refuse_foreign(self, begun: bool) -> None:
        if self._found is None:
            return
        kind = kind_of_receipt(self._found)
        if kind != "load":
            whose = "holds an extract" if kind == "extract" else f"holds a {RECEIPT_NAME} that no load wrote"
            raise ConfigurationError(
                {"results_path": f"{self.path} {whose}, which the results would replace. {_OWN_FOLDER}"},
                subject="the task",
            )
        other = _writer_of(self._found)
        if self._writer is not None and other is not None and self._writer.conflicts_with(other):
            sent = " What an earlier try has sent stays in Salesforce, and its ledger as well." if begun else ""
            raise ConfigurationError(
                {
                    "results_path": f"{self.path} holds the results of {other} of the same DAG run, which those of "
                    f"this task would replace. {_OWN_FOLDER}.{sent}"
                },
                subject="the task",
            )

    def write(self, kind: Kind, number: int, table: pa.Table) -> OutputFile:
        """Write one file of results.

        :param kind: what became of its rows.
        :param number: of the part.
        :param table: the rows.
        """
        from airflow_provider_sfjwt.load.staging.parts import encoded

        return self._write(kind, number, [(encoded(table, header=True), table.num_rows)])

    def write_beside(self, kind: Kind, number: int, columns: Sequence[str], pieces: Iterable[Beside]) -> OutputFile:
        """Write one file of results: new columns, and behind them the rows as they were sent.

        :param kind: what became of its rows.
        :param number: of the part.
        :param columns: the header.
        :param pieces: the rows.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.load.staging.parts import encoded

        no_rows = pa.table([pa.nulls(0, pa.string())] * len(columns), names=list(columns))
        head = [(encoded(no_rows, header=True), 0)]
        return self._write(kind, number, chain(head, ((_beside(each), len(each.records)) for each in pieces)))

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
        :param dry_run: whether nothing was sent. The report then lies beside what an earlier load left.
        :raises SalesforceError: when somebody else has published here since :meth:`prepare`, or is just doing so. What
            is theirs is left as it is.
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
        """Say that this load is about to publish, then look whether another does or did.

        Of two loads that do so at the same time, one at least sees the other's word or the other's receipt, as storages
        list what was written before.
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
        """Whether a file says that somebody else is publishing, and not too long ago."""
        claim = _CLAIM.fullmatch(name)
        if claim is None or claim["whose"] == self._whose:
            return False
        return time.time() - int(claim["since"]) < _CLAIM_HOLDS

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
            f"as they are. {_OWN_FOLDER}; then clear the task, which sends none of the rows again that Salesforce "
            f"accepted over Bulk API 2.0.{left}"
        )

    def report(self) -> LoadReport | None:
        """The report that lies there, or None."""
        text = self._folder.receipt_text()
        return None if text is None else LoadReport.from_json(text, self.path)

    def _clear_replaced(self, report: LoadReport) -> None:
        """Remove result files of an older load or of one that broke off: those that were there to begin with.

        What came since then may be of a load that is still at work.
        """
        if self._folder.receipt_text() != self._found:
            return  # somebody else's by now, and so may be the files
        listed = {part.name for part in report.parts}
        there = self._folder.sizes()
        dead = {name for name in there if _CLAIM.fullmatch(name) and not self._holds(name)}
        self._folder.remove(sorted((self._older & there.keys()) - listed | dead))


def _writer_of(text: str) -> Writer | None:
    """Who wrote a report, also one of a version that cannot be read here."""
    try:
        return Writer.from_json(json.loads(text).get("written_by"))
    except (ValueError, KeyError, AttributeError):
        return None


def _beside(piece: Beside) -> memoryview:
    """The rows as CSV, put together without reading them: each is a text that is copied behind its new cells."""
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
    from airflow_provider_sfjwt.load.staging.parts import bytes_of

    cells = [pc.replace_substring(each, '"', '""') for each in piece.cells]
    new = pc.binary_join_element_wise(*cells, scalar('","'))
    return bytes_of(pc.binary_join_element_wise(scalar('"'), new, scalar('",'), piece.records, scalar("")))
