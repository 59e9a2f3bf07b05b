"""What became of a load's rows, as files and a receipt."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.storage.formats import Part
from airflow_provider_sfjwt.storage.part_file import is_local, storage_errors, writing
from airflow_provider_sfjwt.storage.receipt import RECEIPT_NAME

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.sdk import ObjectStoragePath

Kind = Literal["succeeded", "failed", "unprocessed", "faults"]
REPORT_VERSION = 1
_OURS = re.compile(r"(?:succeeded|failed|unprocessed|faults)-\d{5,}-[0-9a-f]{12}\.csv")
_DRY_RUN_NAME = "_dry_run.json"


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
    :param results_path: the folder; not part of the file, which can be moved with its folder.
    """

    sobject: str
    operation: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    errors_by_code: Mapping[str, Mapping[str, Any]]
    jobs: tuple[Mapping[str, Any], ...]
    parts: tuple[Part, ...]
    api_calls: int
    seconds: float
    package_version: str
    results_path: str = ""
    report_version: int = field(default=REPORT_VERSION)

    def to_json(self) -> str:
        """The text of ``_receipt.json``."""
        content = {"report_version": self.report_version, **asdict(self)}
        del content["results_path"]
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
            known["parts"] = tuple(Part(**part) for part in content["parts"])
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
    """

    def __init__(self, path: str) -> None:
        from airflow.sdk import ObjectStoragePath

        self.path = path.rstrip("/")
        self._token = uuid.uuid4().hex[:12]
        try:
            self._folder: ObjectStoragePath = ObjectStoragePath(self.path)
        except (ValueError, ImportError, OSError) as error:
            raise _unusable(path, error) from error

    def prepare(self) -> None:
        """See that the folder can be written.

        :raises ConfigurationError: when it cannot.
        """
        try:
            if is_local(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / f".writable-{uuid.uuid4().hex}"
            with writing(probe) as file:
                file.write(b"\n")
            probe.unlink()
        except (OSError, ValueError, ImportError) as error:
            raise _unusable(self.path, error) from error

    def write(self, kind: Kind, number: int, table: pa.Table) -> Part:
        """Write one file of results.

        :param kind: what became of its rows.
        :param number: of the part.
        :param table: the rows.
        """
        from airflow_provider_sfjwt.storage.load_parts import encoded

        return self._write(kind, number, [(encoded(table, header=True), table.num_rows)])

    def write_beside(self, kind: Kind, number: int, columns: Sequence[str], pieces: Iterable[Beside]) -> Part:
        """Write one file of results: new columns, and behind them the rows as they were sent.

        :param kind: what became of its rows.
        :param number: of the part.
        :param columns: the header.
        :param pieces: the rows.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.storage.load_parts import encoded

        no_rows = pa.table([pa.nulls(0, pa.string())] * len(columns), names=list(columns))
        head = [(encoded(no_rows, header=True), 0)]
        return self._write(kind, number, chain(head, ((_beside(each), len(each.records)) for each in pieces)))

    def _write(self, kind: Kind, number: int, pieces: Iterable[tuple[pa.Buffer | memoryview, int]]) -> Part:
        path = self._folder / f"{kind}-{number:05d}-{self._token}.csv"
        records = 0
        with storage_errors(self.path, "results_path"), writing(path) as file:
            for data, rows in pieces:
                file.write(data)
                records += rows
        return Part(path.name, records, file.bytes, file.sha256)

    def publish(self, report: LoadReport, *, dry_run: bool = False) -> None:
        """Write the receipt, then remove what it replaces.

        :param report: of the files, all of which are written.
        :param dry_run: whether nothing was sent. The report then lies beside what an earlier load left.
        """
        with storage_errors(self.path, "results_path"):
            self._write_whole(_DRY_RUN_NAME if dry_run else RECEIPT_NAME, report.to_json())
            if not dry_run:
                self.clear_replaced()

    def _write_whole(self, name: str, text: str) -> None:
        target = self._folder / name
        if is_local(self._folder):
            # A local file becomes visible while it is written, an object only when it is whole.
            draft = self._folder / f".{name}-{uuid.uuid4().hex}"
            draft.write_text(text, encoding="utf-8")
            self._folder.fs.mv(draft.path, target.path)
        else:
            target.write_text(text, encoding="utf-8")

    def report(self) -> LoadReport | None:
        """The report that lies there, or None."""
        try:
            text = (self._folder / RECEIPT_NAME).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return LoadReport.from_json(text, self.path)

    def clear_replaced(self) -> None:
        """Remove result files that the receipt does not list, of an older load or of one that broke off."""
        report = self.report()
        listed = {part.name for part in report.parts} if report else set()
        fs, path = self._folder.fs, self._folder.path
        fs.invalidate_cache(path)
        names = (entry.rstrip("/").rpartition("/")[2] for entry in fs.ls(path, detail=False))
        doomed = [self._folder / name for name in names if _OURS.fullmatch(name) and name not in listed]
        if doomed:
            fs.rm([each.path for each in doomed])


def _beside(piece: Beside) -> memoryview:
    """The rows as CSV, put together without reading them: each is a text that is copied behind its new cells."""
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.storage.arrow_values import scalar
    from airflow_provider_sfjwt.storage.load_parts import bytes_of

    cells = [pc.replace_substring(each, '"', '""') for each in piece.cells]
    new = pc.binary_join_element_wise(*cells, scalar('","'))
    return bytes_of(pc.binary_join_element_wise(scalar('"'), new, scalar('",'), piece.records, scalar("")))


def _unusable(path: str, error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    message = f"{path} cannot be written: {reason}. Check the path, the connection before its @, and the permissions"
    return ConfigurationError({"results_path": message}, subject="the task")
