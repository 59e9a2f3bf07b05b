"""Checking the rows of a load against the object's description, before any of them is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.operations import Operation
from airflow_provider_sfjwt.load.staging.cell_rules import filled, rules_of

#: Characters that a record may have.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
MAX_RECORD = 400_000


@dataclass(frozen=True)
class Finding:
    """Rows of a piece that break the same rule.

    :param place: of the column among those that are sent; -1 where the whole row is meant.
    :param column: the column; None where the whole row is meant.
    :param rows: marks the rows.
    :param words: the message for a row, from its place in the piece.
    """

    place: int
    column: LoadColumn | None
    rows: pa.ChunkedArray
    words: Callable[[int], str]

    @property
    def source(self) -> str | None:
        """The column's name in the source; None where the whole row is meant."""
        return self.column.source if self.column is not None else None


class RowChecks:
    """Finds the rows that Salesforce would certainly refuse.

    :param columns: what is sent.
    :param operation: what is done with the rows.
    :param key: the column that names the record of a row, or None.
    """

    def __init__(self, columns: Sequence[LoadColumn], operation: Operation, key: LoadColumn | None = None) -> None:
        self._columns = tuple(columns)
        written = [column.written["name"] for column in columns]
        several = [column for column in columns if written.count(column.written["name"]) > 1]
        self._rules = [
            list(rules_of(column, operation, is_key=column is key, one_of_several=column in several))
            for column in columns
        ]
        self._conflicting = [
            (first, second)
            for first, second in combinations(several, 2)
            if first.written["name"] == second.written["name"]
        ]

    def findings(self, table: pa.Table) -> Iterator[Finding]:
        """Check some rows.

        :param table: the cells as they are sent: text, under the columns' headers.
        """
        for place, (column, rules) in enumerate(zip(self._columns, self._rules, strict=True)):
            cells = table.column(column.header)
            for rule in rules:
                if (broken := rule.find(cells)) is not None:
                    yield Finding(place, column, broken, _by_cell(cells, rule.words))
        if (too_long := _too_long(table)) is not None:
            words = f"the row has more than {MAX_RECORD:,} characters, which no record may have"
            yield Finding(-1, None, too_long, _always(words))
        # https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
        for first, second in self._conflicting:
            both = pc.and_(filled(table.column(first.header)), filled(table.column(second.header)))
            words = f"{first.header} and {second.header} both name the parent; only one of them may"
            yield Finding(self._columns.index(second), second, both, _always(words))


def key_column(columns: Sequence[LoadColumn], operation: Operation, external_id_field: str | None) -> LoadColumn | None:
    """The column that names the record of a row.

    :param columns: what is sent.
    :param operation: what is done with the rows.
    :param external_id_field: the load's external id field.
    :return: the column, or None where every row becomes a new record.
    """
    name = operation.key(external_id_field)
    return next((column for column in columns if name and column.header.lower() == name.lower()), None)


def _too_long(table: pa.Table) -> pa.ChunkedArray | None:
    # No text has more characters than bytes, and bytes are counted faster.
    if sum(pc.max(pc.binary_length(cells)).as_py() or 0 for cells in table.columns) <= MAX_RECORD:
        return None
    lengths = pa.chunked_array([pa.nulls(table.num_rows, pa.int64()).fill_null(0)])
    for cells in table.columns:
        lengths = pc.add(lengths, pc.cast(pc.fill_null(pc.utf8_length(cells), 0), pa.int64()))
    return pc.greater(lengths, MAX_RECORD)


def _by_cell(cells: pa.ChunkedArray, words: Callable[[str], str]) -> Callable[[int], str]:
    return lambda row: words(cells[row].as_py() or "")


def _always(words: str) -> Callable[[int], str]:
    return lambda _: words
