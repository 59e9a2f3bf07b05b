"""The outcome of each row of a part, put together from the results of its jobs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ErrorItem, ProtocolError
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar, texts
from airflow_provider_sfjwt.load.outcomes.matching import Results, RowKeys, match, numbers, read_results
from airflow_provider_sfjwt.salesforce.api.row_errors import is_retriable, parse_row_error
from airflow_provider_sfjwt.salesforce.wire.flow import Body

State = Literal["unprocessed", "accepted", "rejected"]
_UNKNOWN, _ACCEPTED, _REJECTED = range(3)
_STATES: dict[State, int] = {"unprocessed": _UNKNOWN, "accepted": _ACCEPTED, "rejected": _REJECTED}
#: The columns that say what is known of a row.
KNOWN: dict[State, tuple[str, ...]] = {
    "accepted": ("sf__Id", "sf__Created"),
    "rejected": ("error_code", "error_message", "error_fields"),
    "unprocessed": (),
}
#: Errors that are read at once.
ERRORS_AT_ONCE = 5000


@dataclass(frozen=True)
class Accepted:
    """A row that Salesforce accepted.

    :param id: of the record.
    :param created: whether it is new.
    """

    id: str
    created: bool


def read_accepted(body: Body, keys: RowKeys) -> Results:
    """Read a job's successful results, for :meth:`PartOutcome.take_accepted`.

    :param body: the CSV as Salesforce sends it.
    :param keys: of the rows that were sent.
    :raises TransportError: when it is cut off.
    :raises ProtocolError: when it is not CSV, or lacks a column.
    """
    return read_results(body, keys, KNOWN["accepted"], _records)


def read_rejected(body: Body, keys: RowKeys) -> Results:
    """Read a job's failed results, for :meth:`PartOutcome.take_rejected`.

    :param body: the CSV as Salesforce sends it.
    :param keys: of the rows that were sent.
    :raises TransportError: when it is cut off.
    :raises ProtocolError: when it is not CSV, or lacks a column.
    """
    return read_results(body, keys, ("sf__Error",), _refusals)


def _records(cells: pa.Table) -> pa.Table:
    ids, created = (cells.column(name).fill_null(scalar("")) for name in KNOWN["accepted"])
    new = pc.equal(pc.utf8_lower(created), scalar("true")).cast(pa.string())
    return pa.Table.from_arrays([ids, new], names=list(KNOWN["accepted"]))


def _refusals(cells: pa.Table) -> pa.Table:
    return _errors([parse_row_error(text or "") for text in cells.column("sf__Error").to_pylist()])


def _errors(errors: Sequence[ErrorItem]) -> pa.Table:
    codes, messages = texts([error.code for error in errors]), texts([error.message for error in errors])
    fields = texts([" ".join(error.fields) for error in errors])
    return pa.Table.from_arrays([codes, messages, fields], names=list(KNOWN["rejected"]))


class PartOutcome:
    """The rows of one part and what is known of each. The outcome in a later job replaces that in an earlier one.

    It is kept as Arrow's text: as Python objects, the rows of one part take 100 MB.

    :param rows: how many rows the part has.
    """

    def __init__(self, rows: int) -> None:
        self._state = bytearray(rows)
        #: For each row, where in the tables below the row's own entry is.
        self._entries = array("i", bytes(4 * rows))
        self._known: dict[State, list[pa.Table]] = {"accepted": [], "rejected": []}
        self._known_rows = Counter[State]()

    @property
    def rows(self) -> int:
        """How many rows the part has."""
        return len(self._state)

    def accept_all(self) -> None:
        """Mark every row as accepted, without knowing its record."""
        self._state = bytearray([_ACCEPTED]) * len(self._state)

    def take_accepted(self, results: Results) -> None:
        """Mark the rows of a job's successful results.

        :param results: as :func:`read_accepted` reads them.
        :raises ProtocolError: when a result matches no row of the part.
        """
        self._take(self._rows_of(results), "accepted", results.known)

    def take_rejected(self, results: Results) -> None:
        """Mark the rows of a job's failed results.

        :param results: as :func:`read_rejected` reads them.
        :raises ProtocolError: when a result matches no row of the part.
        """
        self._take(self._rows_of(results), "rejected", results.known)

    def take_error(self, row: int, error: ErrorItem) -> None:
        """Mark one row as rejected.

        :param row: its number in the part, from 0.
        :param error: why.
        """
        self._take([row], "rejected", _errors([error]))

    def take_record(self, row: int, accepted: Accepted) -> None:
        """Mark one row as accepted.

        :param row: its number in the part, from 0.
        :param accepted: the record.
        """
        cells = [texts([accepted.id]), texts([str(accepted.created).lower()])]
        self._take([row], "accepted", pa.Table.from_arrays(cells, names=list(KNOWN["accepted"])))

    def row_numbers(self, state: State, first: int = 0, last: int | None = None) -> Sequence[int]:
        """The rows in a state, by their numbers in the part.

        :param state: ``accepted``, ``rejected`` or ``unprocessed``.
        :param first: where to begin.
        :param last: where to end, exclusively; None for the end of the part.
        """
        wanted, last = _STATES[state], self.rows if last is None else last
        if self._state.count(wanted, first, last) == last - first:
            return range(first, last)  # the usual case, which needs no list of all numbers
        return [row for row, known in enumerate(self._state[first:last], first) if known == wanted]

    def known(self, state: State, rows: Sequence[int]) -> pa.Table:
        """What Salesforce says of rows: the columns of :data:`KNOWN`, text without null.

        :param state: that all of them have. Not after :meth:`accept_all`.
        :param rows: their numbers in the part.
        """
        if not KNOWN[state]:
            return pa.table({})
        kept = self._known[state]
        if len(kept) > 1 or kept[0].column(0).num_chunks > 1:
            kept[:] = [pa.concat_tables(kept).combine_chunks()]
        if isinstance(rows, range):
            return kept[0].take(integers(self._entries[rows.start : rows.stop]))
        return kept[0].take(integers(self._entries[row] for row in rows))

    def passing(self, at_once: int = ERRORS_AT_ONCE) -> list[int]:
        """The rows that were rejected for a reason that passes, by their numbers in the part.

        :param at_once: errors that are read at once.
        """
        rejected, found = self.row_numbers("rejected"), []
        for start in range(0, len(rejected), at_once):
            rows = rejected[start : start + at_once]
            code, message, _ = self.known("rejected", rows).columns
            errors = zip(rows, code.to_pylist(), message.to_pylist(), strict=True)
            found += [row for row, *error in errors if is_retriable(ErrorItem(*error))]
        return found

    def count(self) -> Counter[str]:
        """How many rows were ``accepted``, ``rejected`` and left ``unprocessed``."""
        return Counter({name: self._state.count(state) for name, state in _STATES.items()})

    def _take(self, rows: Sequence[int] | memoryview, state: State, known: pa.Table) -> None:
        for entry, row in enumerate(rows, self._known_rows[state]):
            self._state[row] = _STATES[state]
            self._entries[row] = entry
        self._known[state].append(known)
        self._known_rows[state] += known.num_rows

    def _rows_of(self, results: Results) -> memoryview:
        """For each result the row of the part that it is about."""
        sent, taken = results.sent.values, self._state.count(_ACCEPTED)
        still_open = integers(row for row, state in enumerate(self._state) if state != _ACCEPTED) if taken else None
        found = match(sent if still_open is None else sent.take(still_open), results.keys)
        if min(numbers(found), default=0) < 0:
            raise ProtocolError(
                "a result of the load matches no row that was sent, so the outcome of each row is unknown. See Setup → "
                "Bulk Data Load Jobs for the job's own results."
            )
        return numbers(found if still_open is None else still_open.take(found))
