"""What became of each row of a part, put together from the results of its jobs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_sfjwt.api.row_errors import is_retriable, parse_row_error
from airflow_provider_sfjwt.exceptions import ErrorItem, ProtocolError

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.storage.load_matching import Results

State = Literal["unprocessed", "accepted", "rejected"]
_UNKNOWN, _ACCEPTED, _REJECTED = range(3)
_STATES: dict[State, int] = {"unprocessed": _UNKNOWN, "accepted": _ACCEPTED, "rejected": _REJECTED}
#: What Salesforce says of a row that it took, and of one that it did not.
ACCEPTED_COLUMNS = ("sf__Id", "sf__Created")
REJECTED_COLUMNS = ("sf__Error",)
#: And how it is told further.
TOLD: dict[State, tuple[str, ...]] = {
    "accepted": ACCEPTED_COLUMNS,
    "rejected": ("error_code", "error_message", "error_fields"),
    "unprocessed": (),
}
#: Errors that are read at once.
_PIECE = 5000


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

    What Salesforce told is kept as Arrow's text: as objects of Python, the rows of one part take 100 MB.

    :param rows: how many rows the part has.
    """

    def __init__(self, rows: int) -> None:
        self._state = bytearray(rows)
        #: For each row the place of what was told of it.
        self._places = array("i", bytes(4 * rows))
        self._told: dict[State, list[pa.Table]] = {"accepted": [], "rejected": []}
        self._told_rows = Counter[State]()
        self._passing = bytearray()

    @property
    def rows(self) -> int:
        """How many rows the part has."""
        return len(self._state)

    def accept_all(self) -> None:
        """Every row was taken; which record each became was not asked."""
        self._state = bytearray([_ACCEPTED]) * len(self._state)

    def take_accepted(self, results: Results) -> None:
        """Mark the rows of a job's successful results.

        :param results: with ``sf__Id`` and ``sf__Created``.
        :raises ProtocolError: when a result matches no row of the part.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from airflow_provider_sfjwt.storage.arrow_values import scalar

        ids, created = (results.told.column(name) for name in ACCEPTED_COLUMNS)
        new = pc.equal(pc.utf8_lower(created.fill_null(scalar(""))), scalar("true")).cast(pa.string())
        self._take(self._rows_of(results), "accepted", [ids.fill_null(scalar("")), new])

    def take_rejected(self, results: Results) -> None:
        """Mark the rows of a job's failed results.

        :param results: with ``sf__Error``.
        :raises ProtocolError: when a result matches no row of the part.
        """
        rows, texts = self._rows_of(results), results.told.column(*REJECTED_COLUMNS)
        for start in range(0, len(texts), _PIECE):
            errors = [parse_row_error(text or "") for text in texts.slice(start, _PIECE).to_pylist()]
            self._take_errors(rows[start : start + _PIECE], errors)

    def take_error(self, row: int, error: ErrorItem) -> None:
        """Mark one row as rejected.

        :param row: its place in the part.
        :param error: why.
        """
        self._take_errors([row], [error])

    def take_record(self, row: int, accepted: Accepted) -> None:
        """Mark one row as taken.

        :param row: its place in the part.
        :param accepted: the record.
        """
        from airflow_provider_sfjwt.storage.arrow_values import texts

        self._take([row], "accepted", [texts([accepted.id]), texts([str(accepted.created).lower()])])

    def places(self, state: State, first: int = 0, last: int | None = None) -> Sequence[int]:
        """The rows in a state, by their places in the part.

        :param state: ``accepted``, ``rejected`` or ``unprocessed``.
        :param first: the first row that is looked at.
        :param last: the first row that is not; None looks at all.
        """
        wanted, last = _STATES[state], self.rows if last is None else last
        if self._state.count(wanted, first, last) == last - first:
            return range(first, last)  # as it is with most: no list of all numbers is needed
        return [row for row, known in enumerate(self._state[first:last], first) if known == wanted]

    def told(self, state: State, rows: Sequence[int]) -> pa.Table:
        """What Salesforce says of rows: the columns of :data:`TOLD`, text without null.

        :param state: that all of them have. Not after :meth:`accept_all`.
        :param rows: their places in the part.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.storage.arrow_values import integers

        if not TOLD[state]:
            return pa.table({})
        kept = self._told[state]
        if len(kept) > 1 or kept[0].column(0).num_chunks > 1:
            kept[:] = [pa.concat_tables(kept).combine_chunks()]
        if isinstance(rows, range):
            return kept[0].take(integers(self._places[rows.start : rows.stop]))
        return kept[0].take(integers(self._places[row] for row in rows))

    def passing(self) -> list[int]:
        """The rows that were rejected for a reason that passes, by their places in the part."""
        return [row for row in self.places("rejected") if self._passing[self._places[row]]]

    def count(self) -> Counter[str]:
        """How many rows were ``accepted``, ``rejected`` and left ``unprocessed``."""
        return Counter({name: self._state.count(state) for name, state in _STATES.items()})

    def _take(self, rows: Sequence[int] | memoryview, state: State, cells: list[pa.Array]) -> None:
        import pyarrow as pa

        for place, row in enumerate(rows, self._told_rows[state]):
            self._state[row] = _STATES[state]
            self._places[row] = place
        self._told[state].append(pa.Table.from_arrays(cells, names=list(TOLD[state])))
        self._told_rows[state] += len(rows)

    def _take_errors(self, rows: Sequence[int] | memoryview, errors: Sequence[ErrorItem]) -> None:
        from airflow_provider_sfjwt.storage.arrow_values import texts

        codes, messages = texts([error.code for error in errors]), texts([error.message for error in errors])
        self._take(rows, "rejected", [codes, messages, texts([" ".join(error.fields) for error in errors])])
        self._passing += bytes(is_retriable(error) for error in errors)

    def _rows_of(self, results: Results) -> memoryview:
        """For each result the row of the part that it is about."""
        from airflow_provider_sfjwt.storage.arrow_values import integers
        from airflow_provider_sfjwt.storage.load_matching import match, numbers

        sent, taken = results.sent.values, self._state.count(_ACCEPTED)
        still_open = integers(row for row, state in enumerate(self._state) if state != _ACCEPTED) if taken else None
        found = match(sent if still_open is None else sent.take(still_open), results.keys)
        if min(numbers(found), default=0) < 0:
            raise ProtocolError(
                "a result of the load matches no row that was sent, so that it is not known what became of each row. "
                "See Setup → Bulk Data Load Jobs for the job's own results."
            )
        return numbers(found if still_open is None else still_open.take(found))
