"""Every row of a load accounted for: counted, told by its error, and written to the results folder."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.api.bulk_job import Job
from airflow_provider_sfjwt.exceptions import ErrorItem
from airflow_provider_sfjwt.hooks.load_outcome import Accepted, PartOutcome
from airflow_provider_sfjwt.hooks.load_staging import StagedLoad

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.storage.formats import Part
    from airflow_provider_sfjwt.storage.load_parts import StagedPart
    from airflow_provider_sfjwt.storage.load_results import Kind, ResultsFolder

#: Error codes that are told apart; further ones are counted together.
_MOST_CODES = 100
_OTHERS = "others"
#: Rows that are written at once.
_PIECE = 5000
#: What a results file is called, and the state of its rows.
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("succeeded", "accepted"),
    ("failed", "rejected"),
    ("unprocessed", "unprocessed"),
)
_UNNAMED = Accepted("", created=False)


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
        self.jobs: list[dict[str, Any]] = []
        self.files: list[Part] = []

    def add(self, part: StagedPart, outcome: PartOutcome, jobs: list[Job]) -> None:
        """Account for the rows of one part.

        :param part: the part.
        :param outcome: what became of its rows.
        :param jobs: its jobs as Salesforce described them last.
        """
        count = outcome.count()
        self.counts.update(succeeded=count["accepted"], failed=count["rejected"], unprocessed=count["unprocessed"])
        self.jobs += [_job(job, part.number) for job in jobs]
        if not count["rejected"] and self._folder is None:
            return
        import pyarrow as pa

        positions = part.positions().to_pylist()
        for row, error in outcome.rejected.items():
            self._count_error(error, positions[row])
        if self._folder is not None:
            self._write(self._folder, part, outcome, positions)
        # Otherwise the next part's memory, on another thread, comes on top of what Arrow keeps for later.
        pa.default_memory_pool().release_unused()

    @property
    def lost(self) -> int:
        """Rows that Salesforce rejected or did not process."""
        return self.counts["failed"] + self.counts["unprocessed"]

    @property
    def reasons(self) -> list[str]:
        """What jobs that did not complete gave as their reasons, each once."""
        told = (f"{job['id']} {job['state']}: {job['error']}" for job in self.jobs if job["error"])
        return list(dict.fromkeys(told))

    def _count_error(self, error: ErrorItem, position: int) -> None:
        code = error.code if error.code in self.errors or len(self.errors) < _MOST_CODES else _OTHERS
        known = self.errors.get(code)
        if known is None:
            file, row = self._staged.source.locate(position)
            sample = {"file": file, "row": row, "message": error.message, "fields": list(error.fields)}
            known = self.errors[code] = {"count": 0, "sample": sample}
        known["count"] += 1

    def _write(self, folder: ResultsFolder, part: StagedPart, outcome: PartOutcome, positions: list[int]) -> None:
        table = part.table()
        for kind, state in _KINDS:
            rows = outcome.places(state)
            if rows:
                pieces = (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))
                tables = (self._told(kind, outcome, piece, positions, table) for piece in pieces)
                self.files.append(folder.write(kind, part.number, tables))

    def _told(
        self, kind: Kind, outcome: PartOutcome, rows: list[int], positions: list[int], table: pa.Table
    ) -> pa.Table:
        columns = {**self._origin([positions[row] for row in rows]), **_judgement(kind, outcome, rows)}
        return _beside(columns, table, rows)

    def _origin(self, positions: list[int]) -> dict[str, list[str]]:
        places = [self._staged.source.locate(position) for position in positions]
        return {
            "position": [str(position + 1) for position in positions],
            "file": [file for file, _ in places],
            "row": [str(row) for _, row in places],
        }


def _judgement(kind: str, outcome: PartOutcome, rows: list[int]) -> dict[str, list[str]]:
    if kind == "succeeded":
        records = [outcome.accepted.get(row, _UNNAMED) for row in rows]
        return {"sf__Id": [each.id for each in records], "sf__Created": [str(each.created).lower() for each in records]}
    if kind == "failed":
        errors = [outcome.rejected[row] for row in rows]
        return {
            "error_code": [error.code for error in errors],
            "error_message": [error.message for error in errors],
            "error_fields": [" ".join(error.fields) for error in errors],
        }
    return {}


def _beside(columns: dict[str, list[str]], table: pa.Table, rows: list[int]) -> pa.Table:
    """New columns, and behind them the rows as they were sent."""
    import pyarrow as pa

    from airflow_provider_sfjwt.storage.arrow_values import integers, texts

    sent = table.take(integers(rows))
    new = [pa.chunked_array([texts(cells)]) for cells in columns.values()]
    return pa.Table.from_arrays([*new, *sent.columns], names=[*columns, *sent.column_names])


def _job(job: Job, part: int) -> dict[str, Any]:
    return {
        "id": job.ref.id,
        "part": part,
        "state": job.state,
        "processed": job.info.get("numberRecordsProcessed"),
        "failed": job.info.get("numberRecordsFailed"),
        "error": job.info.get("errorMessage"),
    }
