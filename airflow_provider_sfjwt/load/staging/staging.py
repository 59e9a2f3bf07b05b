"""Cutting the rows of a load into the files of its jobs, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

import pyarrow as pa

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.values.arrow_arrays import integers
from airflow_provider_sfjwt.load.staging.grouping import Grouping, between_groups
from airflow_provider_sfjwt.load.staging.parts import BLOCK, MOST_ROWS, JobFile, JobFileWriter, encoded
from airflow_provider_sfjwt.load.staging.scratch_folder import ScratchFolder

#: Bytes of a file at most: a job takes 150 MB once it is encoded, which is 100 MB as it is sent.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
LARGEST_PART = 100_000_000
#: Bytes of a file by default.
PART_BYTES = 24 * 2**20
#: Blocks of rows that are sorted at once where rows are grouped: 6 MiB.
_SORTED_BLOCKS = 12

#: Where to cut rows in two.
Cut = Callable[[pa.Table], int]


class Staging:
    """Collects rows and cuts them into files. Use it in a ``with`` block: the folder is removed at its end.

    :param fields: the header: API names, in the order of the columns.
    :param part_bytes: size of a file at most, in bytes. A file that holds a single row may be larger.
    :param group_by: one of ``fields``: rows with the same value there go into the same file, next to each other, unless
        they are larger than 6 MiB or than a file. None keeps the rows in their order.
    :param most_rows: rows of a file at most.
    :param block: bytes of rows that are handled at once.
    :raises ConfigurationError: for a size that no job takes.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        part_bytes: int = PART_BYTES,
        group_by: str | None = None,
        most_rows: int = MOST_ROWS,
        block: int = BLOCK,
    ) -> None:
        if not 0 < part_bytes <= LARGEST_PART:
            message = f"{part_bytes:,} bytes; a job takes 1 to {LARGEST_PART:,}"
            raise ConfigurationError({"part_bytes": message}, subject="the task")
        self._fields = list(fields)
        self._part_bytes = part_bytes
        self._most_rows = most_rows
        self._block = block
        self._parts: list[JobFile] = []
        self._writer: JobFileWriter | None = None
        self._scratch = ScratchFolder()
        #: Where the files lie.
        self.folder = self._scratch.path
        self._cut: Cut = _in_the_middle
        self._grouping: Grouping | None = None
        if group_by is not None:
            place = self._fields.index(group_by)
            self._cut = lambda rows: between_groups(rows, place)
            most_bytes = min(part_bytes, _SORTED_BLOCKS * block)
            self._grouping = Grouping(self.folder, place, most_bytes=most_bytes, block=block)

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with suppress(OSError):  # a full disk, which has been reported, fails the closing of a file as well
                self._writer.abandon()
        self._scratch.remove()

    def add(self, table: pa.Table, first_position: int) -> None:
        """Add rows that follow each other in the input.

        :param table: text columns in the order of the fields.
        :param first_position: of the first row within the input, from 0.
        """
        self.add_some(table, integers(range(first_position, first_position + table.num_rows)))

    def add_some(self, table: pa.Table, positions: pa.Int64Array) -> None:
        """Add rows, in the order of the input.

        :param table: text columns in the order of the fields.
        :param positions: of each row within the input, from 0.
        """
        if self._grouping is None:
            self._put(table, positions)
        else:
            self._grouping.add(table, positions)

    def parts(self) -> list[JobFile]:
        """Finish the files, once everything has been added.

        :return: the files, in their order.
        """
        if self._grouping is not None:
            for table, positions in self._grouping.batches():
                self._put(table, positions)
            self._grouping = None
        self._close_part()
        return list(self._parts)

    def _put(self, table: pa.Table, positions: pa.Int64Array) -> None:
        """Put rows into the file that is open, or into the next, or cut them in two."""
        if not table.num_rows:
            return
        data = encoded(table)
        if self._writer is not None and self._writer.rows and not self._fits(self._writer, data, table):
            self._close_part()
        if self._writer is None:
            self._writer = JobFileWriter(self.folder, len(self._parts), self._fields, block=self._block)
        if table.num_rows == 1 or self._fits(self._writer, data, table):
            self._writer.write(data, positions)
            return
        middle = self._cut(table)
        self._put(table.slice(0, middle), positions.slice(0, middle))
        self._put(table.slice(middle), positions.slice(middle))

    def _fits(self, writer: JobFileWriter, data: pa.Buffer, table: pa.Table) -> bool:
        size, rows = writer.bytes + data.size, writer.rows + table.num_rows
        return bool(size <= self._part_bytes and rows <= self._most_rows)

    def _close_part(self) -> None:
        if self._writer is not None:
            self._parts.append(self._writer.close())
            self._writer = None


def _in_the_middle(table: pa.Table) -> int:
    return int(table.num_rows) // 2
