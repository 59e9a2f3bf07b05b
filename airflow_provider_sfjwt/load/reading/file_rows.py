"""The rows of one file of a load, with the columns of its path and without those that have no name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import cached_property
from airflow_provider_sfjwt.files.formats.faults import Fault, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.registry import FORMATS, reader_of
from airflow_provider_sfjwt.files.values.arrow_arrays import texts
from airflow_provider_sfjwt.files.values.python_table import PythonTable

if TYPE_CHECKING:
    import pyarrow as pa

_ADVICE = "Leave such columns out with column_mapping={'': None}, or give it a name in the source"


class FileRows:
    """One file of a load.

    :param file: the file.
    :param in_path: the columns that its path adds. One that the file has as well is the file's.
    :param ignores_nameless: whether columns without a name are left out; else they must be empty.
    """

    def __init__(self, file: InputFile, in_path: Mapping[str, str | None], *, ignores_nameless: bool) -> None:
        self.file = file
        self._in_path = in_path
        self._ignores_nameless = ignores_nameless

    @property
    def name(self) -> str:
        """The path, for messages."""
        return self.file.name

    @property
    def may_lack_columns(self) -> bool:
        """Whether other files of the source may have other columns."""
        return FORMATS[self.file.file_format].rows_may_lack_columns

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that have a name: those of the file, and those that its path adds."""
        named = tuple(name for name in self._read if name.strip())
        if self._read and not named:
            raise unreadable(self.name, "none of its columns has a name")
        return named + tuple(self._added)

    @cached_property
    def _read(self) -> tuple[str, ...]:
        return tuple(reader_of(self.file).columns(self.file))

    @cached_property
    def _added(self) -> Mapping[str, str | None]:
        own = {name.strip().lower() for name in self._read}
        return {name: value for name, value in self._in_path.items() if name.lower() not in own}

    def pieces(
        self, wanted: Sequence[str], known: Sequence[str]
    ) -> Iterator[tuple[pa.Table | PythonTable, list[Fault]]]:
        """Read the rows, some at a time.

        :param wanted: the columns to read, in the order that the tables shall have.
        :param known: all columns of the source.
        :raises ConfigurationError: if the file is damaged, or a column without a name holds values.
        """
        own = [name for name in wanted if name not in self._added] or [name for name in self._read if name.strip()][:1]
        nameless = [name for name in self._read if not name.strip()]
        watched = [] if self._ignores_nameless else nameless
        first_row = 1
        for table, faults in reader_of(self.file).pieces(self.file, [*own, *watched], [*known, *nameless]):
            for name in watched:
                if (row := _first_value(table.column(name))) is not None:
                    place = self._read.index(name) + 1
                    reason = (
                        f"row {first_row + row}, column {place}: the column has no name and holds values. {_ADVICE}"
                    )
                    raise unreadable(self.name, reason)
            first_row += table.num_rows
            yield self._with_path(table, wanted), faults

    def _with_path(self, table: pa.Table | PythonTable, wanted: Sequence[str]) -> pa.Table | PythonTable:
        for name in wanted:
            if name in self._added:
                values = [self._added[name] or None] * table.num_rows
                table = table.append_column(name, values if isinstance(table, PythonTable) else texts(values))
        return table.select(list(wanted))


def _first_value(values: pa.ChunkedArray | Sequence[Any]) -> int | None:
    """The place of the first value that is not empty."""
    listed = values if isinstance(values, Sequence) else values.to_pylist()
    return next((place for place, value in enumerate(listed) if value not in (None, "")), None)
