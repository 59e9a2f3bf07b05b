"""Typed rows as the Parquet parts of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.formats import parquet
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.file_writer import writing
from airflow_provider_sfjwt.files.storage.receipts import OutputFile

PARQUET = OutputFormat("parquet")


class _Rows:
    """Tables that are handed out for one part after another."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = iter(tables)
        self._next = next(self._tables, None)

    @property
    def left(self) -> bool:
        """Whether there are more."""
        return self._next is not None

    def of_a_part(self, most: int) -> Iterator[pa.Table]:
        """The tables of the next part.

        :param most: rows, about: the last table is not cut.
        """
        given = 0
        while self._next is not None and given < most:
            table, self._next = self._next, next(self._tables, None)
            given += table.num_rows
            yield table


def write_parts(
    folder: DataSetFolder, stem: str, tables: Iterable[pa.Table], schema: pa.Schema, rows_per_part: int
) -> tuple[OutputFile, ...]:
    """Write all rows. A data set without rows has one part as well.

    :param folder: of the data set.
    :param stem: of the parts' names, see :func:`~.data_set.made_up_stem`.
    :param tables: some rows at a time, each with the columns and types of the schema.
    :param schema: of the parts.
    :param rows_per_part: about.
    """
    rows, parts = _Rows(tables), list[OutputFile]()
    while rows.left or not parts:
        path = folder.part(len(parts), stem, PARQUET)
        with writing(path) as file:
            records = parquet.write_tables(rows.of_a_part(rows_per_part), schema, file)
        folder.wrote(file.name)
        parts.append(OutputFile(file.name, records, file.bytes, file.sha256))
    return tuple(parts)
