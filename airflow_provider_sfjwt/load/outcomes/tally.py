"""Every row of a load accounted for: counted, told by its error, and written to the results folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.load.outcomes.part_outcome import TOLD, PartOutcome, State
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.storage.receipts import OutputFile
    from airflow_provider_sfjwt.load.outcomes.results_folder import Beside, Kind, ResultsFolder
    from airflow_provider_sfjwt.load.staging.parts import StagedPart

#: Error codes that are told apart; further ones are counted together.
_MOST_CODES = 100
_OTHERS = "others"
#: Errors that are counted at once.
_PIECE = 5000
#: What a results file is called, and the state of its rows.
_KINDS: tuple[tuple[Kind, State], ...] = (
    ("succeeded", "accepted"),
    ("failed", "rejected"),
    ("unprocessed", "unprocessed"),
)
#: Unprocessed rows that are named at most.
_MOST_UNPROCESSED = 5
_ORIGIN = ("position", "file", "row")


class LoadAccounts:
    """Adds up what became of the rows, a part at a time.

    :param staged: the load.
    :param folder: where every row's outcome is written, or None.
    """

    def __init__(self, staged: StagedLoad, folder: ResultsFolder | None) -> None:
        self._staged = staged
        self._folder = folder
        self.counts: Counter[str] = Counter(succeeded=0, failed=0, unprocessed=0)
        self.errors: dict[str, dict[str, Any]] = {}
        self.unprocessed: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.files: list[OutputFile] = []

    def add(self, part: StagedPart, outcome: PartOutcome, jobs: list[Job]) -> None:
        """Account for the rows of one part.

        :param part: the part.
        :param outcome: what became of its rows.
        :param jobs: its jobs as Salesforce described them last.
        """
        count = outcome.count()
        self.counts.update(succeeded=count["accepted"], failed=count["rejected"], unprocessed=count["unprocessed"])
        self.jobs += [_job(job, part.number) for job in jobs]
        if not count["rejected"] and not count["unprocessed"] and self._folder is None:
            return
        import pyarrow as pa

        positions = part.positions()
        self._count_errors(outcome, positions)
        self._name_unprocessed(outcome, positions)
        if self._folder is not None:
            for kind, state in _KINDS:
                if count[state]:
                    columns = [*_ORIGIN, *TOLD[state], *part.columns]
                    pieces = self._pieces(part, outcome, state, positions)
                    self.files.append(self._folder.write_beside(kind, part.number, columns, pieces))
        # Otherwise the next part's memory, on another thread, comes on top of what Arrow keeps for later.
        pa.default_memory_pool().release_unused()

    @property
    def lost(self) -> int:
        """Rows that Salesforce rejected or did not process."""
        return self.counts["failed"] + self.counts["unprocessed"]

    @property
    def reasons(self) -> list[str]:
        """What became of jobs that did not complete, and why, each once."""
        broken = [job for job in self.jobs if job["error"] or job["state"] in ("Failed", "Aborted")]
        told = (f"job {job['id']} is {job['state']}" + f": {job['error']}" * bool(job["error"]) for job in broken)
        return list(dict.fromkeys(told))

    def _name_unprocessed(self, outcome: PartOutcome, positions: pa.Int64Array) -> None:
        missing = _MOST_UNPROCESSED - len(self.unprocessed)
        for row in outcome.places("unprocessed")[:missing] if missing else ():
            file, number = self._staged.source.locate(positions[row].as_py())
            self.unprocessed.append({"file": file, "row": number})

    def _count_errors(self, outcome: PartOutcome, positions: pa.Int64Array) -> None:
        rejected = outcome.places("rejected")
        for start in range(0, len(rejected), _PIECE):
            rows = rejected[start : start + _PIECE]
            told = outcome.told("rejected", rows)
            for place, each in enumerate(told.column("error_code").to_pylist()):
                code = each if each in self.errors or len(self.errors) < _MOST_CODES else _OTHERS
                if code not in self.errors:
                    sample = self._sample(told.slice(place, 1), positions[rows[place]].as_py())
                    self.errors[code] = {"count": 0, "sample": sample}
                self.errors[code]["count"] += 1

    def _sample(self, error: pa.Table, position: int) -> dict[str, Any]:
        file, row = self._staged.source.locate(position)
        (told,) = error.to_pylist()
        return {"file": file, "row": row, "message": told["error_message"], "fields": told["error_fields"].split()}

    def _pieces(
        self, part: StagedPart, outcome: PartOutcome, state: State, positions: pa.Int64Array
    ) -> Iterator[Beside]:
        """The rows of a part that are in a state, with what is told of them."""
        from airflow_provider_sfjwt.files.values.arrow_arrays import integers
        from airflow_provider_sfjwt.load.outcomes.results_folder import Beside

        first = 0
        for records in part.records():
            last = first + len(records)
            rows = outcome.places(state, first, last)
            if rows:
                origin = self._origin(positions.take(integers(rows)))
                told = [_one_array(column) for column in outcome.told(state, rows).columns]
                if len(rows) < len(records):
                    records = records.take(integers(row - first for row in rows))
                yield Beside([*origin, *told], records)
            first = last

    def _origin(self, positions: pa.Int64Array) -> list[pa.StringArray | pa.StringScalar]:
        """Position, file and row, as text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar, texts

        locate = self._staged.source.locate
        ends = pc.min_max(positions).as_py()
        (file, first_row), (last_file, _) = locate(ends["min"]), locate(ends["max"])
        files, rows = scalar(file), pc.subtract(positions, scalar(ends["min"] - first_row))
        if file != last_file:
            places = [locate(position) for position in positions.to_pylist()]
            files, rows = texts([each for each, _ in places]), integers(row for _, row in places)
        return [pc.add(positions, scalar(1)).cast(pa.string()), files, rows.cast(pa.string())]


def _one_array(column: pa.ChunkedArray) -> pa.StringArray:
    """What was taken from a table of one piece is in one piece."""
    return column.chunk(0)


def _job(job: Job, part: int) -> dict[str, Any]:
    return {
        "id": job.ref.id,
        "part": part,
        "state": job.state,
        "processed": job.info.get("numberRecordsProcessed"),
        "failed": job.info.get("numberRecordsFailed"),
        "error": job.info.get("errorMessage"),
    }
