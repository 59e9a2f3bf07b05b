"""Rows of Python values, where an Arrow table would lose their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.files.values.from_python import cell_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PythonTable:
    """Rows as their source holds them, column by column.

    :param columns: the values of each column, by its name; None is null.
    :param num_rows: how many rows there are.
    """

    columns: Mapping[str, Sequence[Any]]
    num_rows: int

    @property
    def column_names(self) -> list[str]:
        """The names, in their order."""
        return list(self.columns)

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column.

        :param name: of the column.
        """
        return self.columns[name]

    def append_column(self, name: str, values: Sequence[Any]) -> PythonTable:
        """The table with one more column.

        :param name: of the column.
        :param values: of each row.
        """
        return PythonTable({**self.columns, name: values}, self.num_rows)

    def select(self, names: Sequence[str]) -> PythonTable:
        """The table with some of its columns.

        :param names: of the columns, in their order.
        """
        return PythonTable({name: self.columns[name] for name in names}, self.num_rows)

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows, one dict each."""
        return [{name: values[row] for name, values in self.columns.items()} for row in range(self.num_rows)]

    def as_text(self) -> pa.Table:
        """The rows as Arrow's text, empty text as null.

        :raises UnfitValueError: for a value that a text field could not take.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.files.values.arrow_arrays import texts

        arrays = [
            texts([None if value is None else cell_of(value) or None for value in values])
            for values in self.columns.values()
        ]
        return pa.Table.from_arrays(arrays, names=self.column_names)
