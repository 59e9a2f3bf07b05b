"""What became of each row of a part, put together from the results of its jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.api.row_errors import is_retriable, parse_row_error
from airflow_provider_sfjwt.exceptions import ErrorItem, ProtocolError

if TYPE_CHECKING:
    import pyarrow as pa

_UNKNOWN, _ACCEPTED, _REJECTED = range(3)


@dataclass(frozen=True)
class Accepted:
    """A row that Salesforce took.

    :param id: of the record.
    :param created: whether it is new.
    """

    id: str
    created: bool


class PartOutcome:
    """The rows of one part and what is known of each. A later job says more of a row than an earlier one.

    :param rows: how many rows the part has.
    :param table: reads them, as they were sent, all text; called where results have to be matched with them.
    """

    def __init__(self, rows: int, table: Callable[[], pa.Table]) -> None:
        self._table = table
        self._state = bytearray(rows)
        self.accepted: dict[int, Accepted] = {}
        self.rejected: dict[int, ErrorItem] = {}

    @property
    def rows(self) -> int:
        """How many rows the part has."""
        return len(self._state)

    def accept_all(self) -> None:
        """Every row was taken; which record each became was not asked."""
        self._state = bytearray([_ACCEPTED]) * len(self._state)

    def take_accepted(self, results: pa.Table) -> None:
        """Mark the rows of a job's successful results.

        :param results: with ``sf__Id``, ``sf__Created`` and the cells as they were sent.
        :raises ProtocolError: when a result matches no row of the part.
        """
        ids, created = _cells(results, "sf__Id"), _cells(results, "sf__Created")
        for row, record_id, new in zip(self._places(results), ids, created, strict=True):
            self._state[row] = _ACCEPTED
            self.accepted[row] = Accepted(record_id or "", str(new).lower() == "true")
            self.rejected.pop(row, None)

    def take_rejected(self, results: pa.Table) -> None:
        """Mark the rows of a job's failed results.

        :param results: with ``sf__Error`` and the cells as they were sent.
        :raises ProtocolError: when a result matches no row of the part.
        """
        for row, text in zip(self._places(results), _cells(results, "sf__Error"), strict=True):
            self._state[row] = _REJECTED
            self.rejected[row] = parse_row_error(text or "")

    def take_error(self, row: int, error: ErrorItem) -> None:
        """Mark one row as rejected.

        :param row: its place in the part.
        :param error: why.
        """
        self._state[row] = _REJECTED
        self.rejected[row] = error

    def take_record(self, row: int, accepted: Accepted) -> None:
        """Mark one row as taken.

        :param row: its place in the part.
        :param accepted: the record.
        """
        self._state[row] = _ACCEPTED
        self.accepted[row] = accepted
        self.rejected.pop(row, None)

    def places(self, state: str) -> list[int]:
        """The rows in a state, by their places in the part.

        :param state: ``accepted``, ``rejected`` or ``unprocessed``.
        """
        wanted = {"accepted": _ACCEPTED, "rejected": _REJECTED, "unprocessed": _UNKNOWN}[state]
        return [row for row, state in enumerate(self._state) if state == wanted]

    def passing(self) -> list[int]:
        """The rows that were rejected for a reason that passes, by their places in the part."""
        return sorted(row for row, error in self.rejected.items() if is_retriable(error))

    def count(self) -> Counter[str]:
        """How many rows were ``accepted``, ``rejected`` and left ``unprocessed``."""
        states = {"accepted": _ACCEPTED, "rejected": _REJECTED, "unprocessed": _UNKNOWN}
        return Counter({name: self._state.count(state) for name, state in states.items()})

    def _places(self, results: pa.Table) -> list[int]:
        if not results.num_rows:
            return []  # it may lack even a header
        import pyarrow as pa

        from airflow_provider_sfjwt.storage.load_results import match

        open_rows = [row for row, state in enumerate(self._state) if state != _ACCEPTED]
        sent = self._table()
        if len(open_rows) < self.rows:
            sent = sent.take(pa.array(open_rows, pa.int64()))
        found = match(sent, results).to_pylist()
        if None in found:
            raise ProtocolError(
                "a result of the load matches no row that was sent, so that it is not known what became of each row. "
                "See Setup → Bulk Data Load Jobs for the job's own results."
            )
        return [open_rows[place] for place in found]


def _cells(results: pa.Table, name: str) -> list[str | None]:
    """One of the columns that Salesforce puts before the row's own."""
    if not results.num_rows:
        return []
    if name not in results.column_names:
        raise ProtocolError(f"a result set lacks the column {name}, so that it is not known what became of its rows")
    cells: list[str | None] = results.column(name).to_pylist()
    return cells
