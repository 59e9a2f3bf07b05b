"""The data of a load while it is processed, batch by batch, and its three result sets."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from airflow_provider_sfjwt.testing.bulk.ingest_csv import Columns, JobFailure, Table, read_table
from airflow_provider_sfjwt.testing.bulk.jobs import DELIMITERS, LINE_ENDINGS, Ending, Job
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.dml.outcomes import Outcome
from airflow_provider_sfjwt.testing.dml.save import Dml

_AT_ONCE = 5_000
_QUOTA = Ending("Failed", "ExceededQuota : ApiBatchItems Limit exceeded.")


class BatchAllocation:
    """The batches of all loads, counted against the daily allocation.

    https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-bulkapi.html
    """

    def __init__(self) -> None:
        self.used = 0


class Load:
    """What was uploaded for one job, and what became of every row.

    :param key: the field of an upsert.
    :param owner: who gets new records by an assignment rule.
    """

    def __init__(self, job: Job, sobject: SObject, key: Field | None, owner: str | None) -> None:
        self._job = job
        self._sobject = sobject
        self._key = key
        self._owner = owner
        self.data: bytes | None = None
        self.uploads = 0
        #: How the job is going to end, once that is certain.
        self.ending: Ending | None = None
        self._table: Table | None = None
        self._columns: Columns | None = None
        self._outcomes: list[Outcome] = []
        self._batches = 0
        self._lost = False

    @property
    def processed(self) -> int:
        """Rows that were looked at, failed ones included."""
        return len(self._outcomes)

    @property
    def failed(self) -> int:
        """Rows that were refused."""
        return sum(not outcome.success for outcome in self._outcomes)

    def _read(self, dml: Dml) -> Table:
        """Read the data once.

        :raises JobFailure: for data that is wrong as a whole.
        """
        if self._table is None or self._columns is None:
            info = self._job.info
            if self.data is None:
                raise JobFailure("InvalidBatch : No data was uploaded")
            self._table = read_table(self.data, self._delimiter, self._line_ending)
            sobject, operation = self._sobject, info["operation"]
            self._columns = Columns(dml.schema, sobject, self._table.names, operation, self._key)
        return self._table

    def process(self, dml: Dml, allocation: BatchAllocation, polls_left: int, seconds: float | None = None) -> None:
        """Process the batches whose turn it is; each is saved as a whole before the next begins.

        :param polls_left: 0: process all that are left; else a share of them.
        :param seconds: begin no batch after so long; None: take the time that it takes.
        """
        if self.ending is not None:
            return
        try:
            rows = self._read(dml).rows
        except JobFailure as failure:
            self.ending = Ending("Failed", str(failure))
            return
        size, begun = dml.settings.bulk_batch_rows, time.monotonic()
        # Every job takes a batch at least, be it empty.
        starts = list(range(self.processed, len(rows), size)) if rows or self._batches else [0]
        for start in starts[: len(starts) // (polls_left + 1)]:
            if self._is_over(dml, allocation) or (seconds is not None and time.monotonic() - begun > seconds):
                return
            allocation.used += 1
            self._batches += 1
            self._save(dml, rows[start : start + size])
        if polls_left == 0 and not self._is_over(dml, allocation, last=True):
            self.ending = Ending("JobComplete")

    def _is_over(self, dml: Dml, allocation: BatchAllocation, last: bool = False) -> bool:
        scripted = self._job.ending
        if scripted is not None and (last or self._batches >= scripted.after_batches):
            self.ending = scripted
        elif not last and allocation.used >= dml.settings.daily_bulk_batches:
            self.ending = _QUOTA
            self._lost = dml.settings.beyond_allocation == "lost"
        return self.ending is not None

    def _save(self, dml: Dml, rows: Sequence[Sequence[str]]) -> None:
        if self._columns is not None and rows:
            changes = list(self._columns.changes(rows))
            operation = self._job.info["operation"]
            self._outcomes += dml.save(self._sobject, operation, changes, self._key, self._owner)

    def successful(self) -> Iterator[bytes]:
        """Yield the CSV of the rows that were saved."""
        return self._results(
            ("sf__Id", "sf__Created"),
            lambda outcome: outcome.success,
            lambda outcome: (outcome.id, "true" if outcome.created else "false"),
        )

    def refused(self) -> Iterator[bytes]:
        """Yield the CSV of the rows that were refused."""
        return self._results(
            ("sf__Id", "sf__Error"),
            lambda outcome: not outcome.success,
            lambda outcome: (outcome.id, outcome.errors[0].in_cell()),
        )

    def unprocessed(self) -> Iterator[bytes]:
        """Yield the CSV of the rows that nobody looked at."""
        table = self._whole()
        if table is None:
            # What cannot be read comes back as it was.
            yield self.data or b""
            return
        yield f"{table.header}{self._line_ending}".encode()
        if not self._lost:
            yield from self._lines(table.rows[self.processed :])

    def _results(
        self,
        extra: tuple[str, str],
        wanted: Callable[[Outcome], bool],
        cells: Callable[[Outcome], tuple[str, str]],
    ) -> Iterator[bytes]:
        """Yield one result set: two columns, then the columns as they were sent; every cell quoted."""
        table = self._whole()
        head = [f'"{name}"' for name in extra] + ([table.header] if table is not None else [])
        yield f"{self._delimiter.join(head)}{self._line_ending}".encode()
        if table is None:
            return
        places = [place for place, outcome in enumerate(self._outcomes) if wanted(outcome)]
        # "The order of records in the response is not guaranteed to match the ordering of records in the original job
        # data": here it never does. https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_successful_results.htm
        places = places[1::2] + places[::2]
        rows, outcomes = table.rows, self._outcomes
        yield from self._lines((*cells(outcomes[place]), *rows[place]) for place in places)

    def _whole(self) -> Table | None:
        """Return the data of a job that has ended, None where it cannot be read."""
        if self._table is None and self.data is not None:
            try:
                self._table = read_table(self.data, self._delimiter, self._line_ending)
            except JobFailure:
                return None
        return self._table

    @property
    def _delimiter(self) -> str:
        return DELIMITERS[self._job.info["columnDelimiter"]]

    @property
    def _line_ending(self) -> str:
        return LINE_ENDINGS[self._job.info["lineEnding"]]

    def _lines(self, rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
        buffer = io.StringIO(newline="")
        delimiter, end = self._delimiter, self._line_ending
        writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        for number, row in enumerate(rows, 1):
            writer.writerow(row)
            if number % _AT_ONCE == 0:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()
