"""Adding up the outcomes of all rows: counts, errors by code, and the files of the results folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, one_array, scalar, texts
from airflow_provider_sfjwt.load.outcomes.part_outcome import ERRORS_AT_ONCE, KNOWN, PartOutcome, State
from airflow_provider_sfjwt.load.outcomes.results_folder import Kind, ResultsFolder, RowsWithOutcome
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.load.staging.skipped_rows import INVALID_ROW
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job

#: Error codes that are counted each by itself. Further ones are counted together.
_MOST_CODES = 100
_OTHERS = "others"
#: The name of a results file, and the state of its rows.
_KINDS: tuple[tuple[Kind, State], ...] = (
    ("succeeded", "accepted"),
    ("failed", "rejected"),
    ("unprocessed", "unprocessed"),
)
#: Unprocessed rows that are named at most.
_MOST_UNPROCESSED = 5
_ORIGIN = ("position", "file", "row")
#: How Bulk API 2.0 writes a moment.
_MOMENT = "%Y-%m-%dT%H:%M:%S.%f%z"


@dataclass(frozen=True)
class SettledPart:
    """A part of a load, every row of which has an outcome.

    :param number: of the part, from 0.
    :param rows: in it.
    :param bytes: of its CSV.
    :param began: seconds since the epoch, by the org's clock, at which its first job was created; None over REST.
    :param seconds: from then until its last job changed for the last time; None over REST.
    """

    number: int
    rows: int
    bytes: int
    began: float | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, part: JobFile, jobs: Sequence[Job]) -> SettledPart:
        """A part and its jobs.

        :param part: the part.
        :param jobs: as Salesforce described them last.
        """
        created = [moment for job in jobs if (moment := _moment(job.info.get("createdDate"))) is not None]
        changed = [moment for job in jobs if (moment := _moment(job.info.get("systemModstamp"))) is not None]
        if not created or not changed:
            return cls(part.number, part.rows, part.bytes)
        return cls(part.number, part.rows, part.bytes, min(created), round(max(changed) - min(created), 3))


class Tally:
    """Adds up the outcomes of the rows, a part at a time.

    :param staged: the load.
    :param folder: for the outcome of every row, or None.
    :param errors_at_once: errors that are counted at once.
    """

    def __init__(
        self, staged: StagedLoad, folder: ResultsFolder | None, *, errors_at_once: int = ERRORS_AT_ONCE
    ) -> None:
        self._staged = staged
        #: For the outcome of every row, or None.
        self.folder = folder
        self._errors_at_once = errors_at_once
        self.counts: Counter[str] = Counter(succeeded=0, failed=0, unprocessed=0)
        self.errors: dict[str, dict[str, Any]] = {}
        self.unprocessed: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.files: list[OutputFile] = []
        self.settled: list[SettledPart] = []

    def add(self, part: JobFile, outcome: PartOutcome, jobs: list[Job]) -> None:
        """Add the rows of one part.

        :param part: the part.
        :param outcome: of its rows.
        :param jobs: its jobs as Salesforce described them last.
        """
        count = outcome.count()
        self.counts.update(succeeded=count["accepted"], failed=count["rejected"], unprocessed=count["unprocessed"])
        self.jobs += [_job(job, part.number) for job in jobs]
        self.settled.append(SettledPart.of(part, jobs))
        if not count["rejected"] and not count["unprocessed"] and self.folder is None:
            return
        positions = part.positions()
        self._count_errors(outcome, positions)
        self._name_unprocessed(outcome, positions)
        if self.folder is not None:
            for kind, state in _KINDS:
                if count[state]:
                    columns = [*_ORIGIN, *KNOWN[state], *part.columns]
                    pieces = self._pieces(part, outcome, state, positions)
                    self.files.append(self.folder.write_rows(kind, part.number, columns, pieces))
        # Otherwise the memory of the next part, which another thread reads, comes on top of what Arrow keeps for reuse.
        pa.default_memory_pool().release_unused()

    def add_skipped(self) -> None:
        """Add the rows that were not sent because they are faulty. Call it once."""
        skipped = self._staged.skipped
        if skipped is None:
            return
        file, row = self._staged.source.locate(skipped.position)
        sample = {"file": file, "row": row, "message": skipped.message, "fields": list(skipped.fields)}
        self.counts["skipped"] = skipped.file.rows
        self.errors[INVALID_ROW] = {"count": skipped.file.rows, "sample": sample}
        if self.folder is not None:
            columns, positions = [*_ORIGIN, *skipped.file.columns], skipped.file.positions()
            self.files.append(self.folder.write_rows("skipped", 0, columns, self._skipped(skipped.file, positions)))

    def _skipped(self, file: JobFile, positions: pa.Int64Array) -> Iterator[RowsWithOutcome]:
        first = 0
        for records in file.records():
            yield RowsWithOutcome(self._origin(positions.slice(first, len(records))), records)
            first += len(records)

    @property
    def not_loaded(self) -> int:
        """Rows that were skipped, and those that Salesforce rejected or did not process."""
        return self.counts["failed"] + self.counts["unprocessed"] + self.counts["skipped"]

    @property
    def reasons(self) -> list[str]:
        """Which jobs did not complete, and why. Each reason is there once."""
        broken = [job for job in self.jobs if job["error"] or job["state"] in ("Failed", "Aborted")]
        reasons = (f"job {job['id']} is {job['state']}" + f": {job['error']}" * bool(job["error"]) for job in broken)
        return list(dict.fromkeys(reasons))

    def _name_unprocessed(self, outcome: PartOutcome, positions: pa.Int64Array) -> None:
        missing = _MOST_UNPROCESSED - len(self.unprocessed)
        for row in outcome.row_numbers("unprocessed")[:missing] if missing else ():
            file, number = self._staged.source.locate(positions[row].as_py())
            self.unprocessed.append({"file": file, "row": number})

    def _count_errors(self, outcome: PartOutcome, positions: pa.Int64Array) -> None:
        rejected = outcome.row_numbers("rejected")
        for start in range(0, len(rejected), self._errors_at_once):
            rows = rejected[start : start + self._errors_at_once]
            errors = outcome.known("rejected", rows)
            for place, each in enumerate(errors.column("error_code").to_pylist()):
                code = each if each in self.errors or len(self.errors) < _MOST_CODES else _OTHERS
                if code not in self.errors:
                    sample = self._sample(errors.slice(place, 1), positions[rows[place]].as_py())
                    self.errors[code] = {"count": 0, "sample": sample}
                self.errors[code]["count"] += 1

    def _sample(self, error: pa.Table, position: int) -> dict[str, Any]:
        file, row = self._staged.source.locate(position)
        (cells,) = error.to_pylist()
        return {"file": file, "row": row, "message": cells["error_message"], "fields": cells["error_fields"].split()}

    def _pieces(
        self, part: JobFile, outcome: PartOutcome, state: State, positions: pa.Int64Array
    ) -> Iterator[RowsWithOutcome]:
        """The rows of a part that are in a state, with what is known of them."""
        first = 0
        for records in part.records():
            last = first + len(records)
            rows = outcome.row_numbers(state, first, last)
            if rows:
                origin = self._origin(positions.take(integers(rows)))
                known = [one_array(column) for column in outcome.known(state, rows).columns]
                if len(rows) < len(records):
                    records = records.take(integers(row - first for row in rows))
                yield RowsWithOutcome([*origin, *known], records)
            first = last

    def _origin(self, positions: pa.Int64Array) -> list[pa.StringArray | pa.StringScalar]:
        """Position, file and row, as text."""
        locate = self._staged.source.locate
        ends = pc.min_max(positions).as_py()
        (file, first_row), (last_file, _) = locate(ends["min"]), locate(ends["max"])
        files, rows = scalar(file), pc.subtract(positions, scalar(ends["min"] - first_row))
        if file != last_file:
            origins = [locate(position) for position in positions.to_pylist()]
            files, rows = texts([each for each, _ in origins]), integers(row for _, row in origins)
        return [pc.add(positions, scalar(1)).cast(pa.string()), files, rows.cast(pa.string())]


def _moment(text: Any) -> float | None:
    """Seconds since the epoch, or None for what is not a moment."""
    try:
        return datetime.strptime(text, _MOMENT).timestamp()  # noqa: DTZ007  # the format has the zone
    except (TypeError, ValueError):
        return None


def _job(job: Job, part: int) -> dict[str, Any]:
    return {
        "id": job.ref.id,
        "part": part,
        "state": job.state,
        "processed": job.info.get("numberRecordsProcessed"),
        "failed": job.info.get("numberRecordsFailed"),
        "error": job.info.get("errorMessage"),
    }
