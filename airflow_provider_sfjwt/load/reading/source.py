"""What a load reads: files of several formats, a previous extract, or rows, as Arrow tables, a piece at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.faults import Fault, unreadable
from airflow_provider_sfjwt.files.formats.input_file import AS_IT_IS, ReadOptions
from airflow_provider_sfjwt.files.formats.json_rows import (
    column_names,
    flattened,
    parents,
    without_null_parents,
)
from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow
from airflow_provider_sfjwt.load.reading.file_rows import FileRows
from airflow_provider_sfjwt.load.reading.files import find_files
from airflow_provider_sfjwt.load.reading.source_argument import fault_of_source, is_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.values.python_table import PythonTable
    from airflow_provider_sfjwt.load.reading.source_argument import Row, Source

#: The most rows that may be given as they are, e.g. from an XCom. More belong in a file.
MOST_ROWS = 10_000
#: The name that such rows have in place of a file's.
ROWS = "rows"


@dataclass(frozen=True)
class SourcePiece:
    """Consecutive rows of one file.

    :param file: the file, or ``rows``.
    :param first_row: of the piece within the file, from 1.
    :param first_position: of the piece within all files, from 0.
    :param table: the rows, with the columns of the source in their order.
    :param faults: what cannot be read in them. Such a cell is null in the table.
    """

    file: str
    first_row: int
    first_position: int
    table: pa.Table | PythonTable
    faults: tuple[Fault, ...] = ()


class RowLocations:
    """The file and the row of each position, of all pieces that have been read."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._starts: list[int] = []  # the position of each file's first row
        self._rows = 0

    def add(self, piece: SourcePiece) -> None:
        """Remember where the rows of a piece are. A piece that is read again is known already.

        :param piece: the first one, or one that follows those that were added.
        """
        if piece.first_position < self._rows:
            return
        if piece.first_row == 1:
            self._files.append(piece.file)
            self._starts.append(piece.first_position)
        self._rows += piece.table.num_rows

    def locate(self, position: int) -> tuple[str, int]:
        """Where a row is.

        :param position: of the row within all files, from 0.
        :return: its file, and its row there, from 1.
        :raises LookupError: if the row has not been read.
        """
        if not 0 <= position < self._rows:
            raise LookupError(f"position {position} has not been read; {self._rows} rows have")
        place = bisect_right(self._starts, position) - 1
        return self._files[place], position - self._starts[place] + 1


class LoadSource:
    """The input of a load.

    :param source: a path, a glob (with ``*``, ``?`` or ``[``) or several of them; the folder, the receipt's path or the
        returned summary of a previous extract; or rows, at most 10,000. A path is a URL or absolute.
    :param file_format: ``csv``, ``jsonl`` or ``parquet``. None takes it from the names: ``.csv``, ``.jsonl``,
        ``.ndjson``, ``.json``, ``.parquet``, all but the last also with ``.gz``, ``.bz2`` or ``.zst``.
    :param options: how files are read that do not say so themselves.
    :param ignores_nameless: whether columns without a name are left out; else they must be empty.
    :raises ConfigurationError: if it is something else, a file is missing, or one cannot be read at all.
    """

    def __init__(
        self,
        source: Source,
        *,
        file_format: str | None = None,
        options: ReadOptions = AS_IT_IS,
        ignores_nameless: bool = False,
    ) -> None:
        require_arrow()
        self._rows: list[Row] = []
        self._files: list[FileRows] = []
        self._locations = RowLocations()
        if fault := fault_of_source(source):
            raise ConfigurationError({"source": fault}, subject="the task")
        if is_rows(source):
            self._rows = [flattened(row) for row in _bounded(source)]
            self.files: tuple[str, ...] = (ROWS,)
            self.columns = tuple(column_names(self._rows))
            if self._rows and not self.columns:
                raise unreadable(ROWS, "they are empty, so their columns are unknown")
        else:
            self._files = find_files(source, file_format, options, ignores_nameless=ignores_nameless)
            self.files = tuple(file.name for file in self._files)
            self.columns = _columns(self._files)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[SourcePiece]:
        """Read all rows. Each call reads them again, in the same pieces.

        :param columns: only these, in this order; other columns are not checked. Default: all.
        :raises ConfigurationError: if a file is damaged.
        """
        wanted, position = self.columns if columns is None else tuple(columns), 0
        for file in self._files:
            first_row = 1
            for table, faults in file.pieces(wanted, self.columns):
                yield self._located(SourcePiece(file.name, first_row, position, table, tuple(faults)))
                first_row, position = first_row + table.num_rows, position + table.num_rows
        if self._rows:
            from airflow_provider_sfjwt.files.formats.json_lines import table_of

            above = parents(self.columns)
            rows = [without_null_parents(row, above) for row in self._rows]
            values, found = table_of(rows, wanted, ROWS, 1, self.columns)
            yield self._located(SourcePiece(ROWS, 1, 0, values, tuple(found)))

    def _located(self, piece: SourcePiece) -> SourcePiece:
        self._locations.add(piece)
        return piece

    def locate(self, position: int) -> tuple[str, int]:
        """Where a row that has been read came from.

        :param position: of the row within all files, from 0.
        :return: its file, and its row there, from 1.
        :raises LookupError: if the row has not been read.
        """
        return self._locations.locate(position)


def _bounded(rows: Sequence[Row]) -> list[Row]:
    if len(rows) > MOST_ROWS:
        message = f"{len(rows):,} rows are more than the {MOST_ROWS:,} that a list may have"
        raise ConfigurationError({"source": f"{message}. Write them to a file and give its path"}, subject="the task")
    return list(rows)


def _columns(files: Sequence[FileRows]) -> tuple[str, ...]:
    """The columns that all files have, in the order of the first."""
    columns: tuple[str, ...] = ()
    for file in files:
        found = file.columns
        if not columns:
            columns = found
        elif file.may_lack_columns and files[0].may_lack_columns:
            columns = tuple(dict.fromkeys(columns + found))
        elif set(columns) != set(found):
            missing, more = sorted(set(columns) - set(found)), sorted(set(found) - set(columns))
            parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(more)} as well"] * bool(more)
            reason = f"its columns differ from those of {files[0].name}: it {' and '.join(parts)}"
            raise unreadable(file.name, reason)
    above = parents(columns)
    return tuple(name for name in columns if name not in above)
