"""The file formats, one row each: which files they are, and which module writes and reads them.

A new format is a module with the functions of :class:`FormatModule`, its loader, and a row of ``FORMATS``.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from airflow_provider_sfjwt.files.formats.faults import Fault, unreadable
from airflow_provider_sfjwt.files.formats.input_file import AS_IT_IS, InputFile, ReadOptions
from airflow_provider_sfjwt.files.formats.result_page import ANY_PAGE, PageContent, PageLimits, ResultPage
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter, writing
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.arrow_arrays import choose_memory_pool
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.wire.flow import Body

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.storage.paths import StoragePath
    from airflow_provider_sfjwt.files.values.python_table import PythonTable


class PageWriter(Protocol):
    """Writes a result page into one file."""

    def write_page(self, page: ResultPage, file: FileWriter, compression: str | None) -> PageContent:
        """Write all records of a page.

        :param page: the page.
        :param file: open, written from front to back.
        :param compression: one of the format's own, or None for its default.
        :return: what was written.
        :param limits: how much the page may hold. Of a page with more records than were declared, the rest is not read.
        :raises TransportError: if the page is not whole.
        :raises TooLargeNumbersError: if numbers do not fit columns that may be widened.
        :raises ProtocolError: if a value does not fit its column's type.
        """


class InputReader(Protocol):
    """Reads a file that somebody wrote."""

    def columns(self, file: InputFile) -> tuple[str, ...]:
        """The columns of a file.

        :param file: the file.
        :raises ConfigurationError: if it is not a file of this format.
        """

    def pieces(
        self, file: InputFile, wanted: Sequence[str], known: Sequence[str]
    ) -> Iterator[tuple[pa.Table | PythonTable, list[Fault]]]:
        """Read the rows, some at a time: a table that has rows, and the faults in them. A faulty cell is null.

        The values are as the file has them: typed where its format has types.

        :param file: the file.
        :param wanted: the columns to read, in the order that the tables shall have.
        :param known: all columns of the source.
        :raises ConfigurationError: if the file is damaged.
        """


class FormatModule(PageWriter, InputReader, Protocol):
    """What a format's module has: both directions."""


@dataclass(frozen=True)
class RegisteredFormat:
    """What is known of a file format.

    :param name: as ``file_format`` names it.
    :param load: imports the format's module, which may need pyarrow.
    :param endings: of files to read, without the dot; files that are written get the first.
    :param suffixes: what each compression adds to the ending of files that are written; nothing if the file is
        compressed inside. None is the format's default.
    :param packings: the compression around files to read, by what it adds to the ending.
    :param needs_arrow: whether writing takes pyarrow. Reading always does.
    :param rows_may_lack_columns: whether two files of one source may differ in their columns.
    """

    name: str
    load: Callable[[], FormatModule] = field(repr=False)
    endings: tuple[str, ...]
    suffixes: Mapping[str | None, str]
    packings: Mapping[str, str] = field(default_factory=dict)
    needs_arrow: bool = False
    rows_may_lack_columns: bool = False

    @property
    def all_endings(self) -> tuple[str, ...]:
        """What the names of files to read end with, dots included."""
        return tuple(f".{ending}{suffix}" for ending in self.endings for suffix in ("", *self.packings))

    def extension(self, compression: str | None) -> str:
        """The ending of files that are written, without the first dot.

        :param compression: one of the format's own, or None for its default.
        """
        return self.endings[0] + self.suffixes[compression]

    def packing_of(self, name: str) -> str | None:
        """The compression around a file, by its name.

        :param name: of the file.
        """
        return next((each for suffix, each in self.packings.items() if name.lower().endswith(suffix)), None)


def _csv() -> FormatModule:
    from airflow_provider_sfjwt.files.formats import csv

    return csv


def _json_lines() -> FormatModule:
    from airflow_provider_sfjwt.files.formats import json_lines

    return json_lines


def _parquet() -> FormatModule:
    choose_memory_pool()
    from airflow_provider_sfjwt.files.formats import parquet

    return parquet


_GZIP_AROUND: Mapping[str | None, str] = MappingProxyType({None: "", "gzip": ".gz"})
#: Files to read may be packed in more ways than files are written.
_PACKED: Mapping[str, str] = MappingProxyType({".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"})
_PARQUET_INSIDE: Mapping[str | None, str] = MappingProxyType(
    dict.fromkeys((None, "zstd", "snappy", "gzip", "none"), "")
)

FORMATS: Mapping[str, RegisteredFormat] = MappingProxyType(
    {
        each.name: each
        for each in (
            RegisteredFormat("csv", _csv, ("csv",), _GZIP_AROUND, _PACKED),
            RegisteredFormat(
                "jsonl", _json_lines, ("jsonl", "ndjson", "json"), _GZIP_AROUND, _PACKED, rows_may_lack_columns=True
            ),
            RegisteredFormat("parquet", _parquet, ("parquet",), _PARQUET_INSIDE, needs_arrow=True),
        )
    }
)

#: The extensions of files that this package writes, as a regular expression.
WRITTEN_EXTENSIONS = "|".join(
    sorted({re.escape(each.extension(compression)) for each in FORMATS.values() for compression in each.suffixes})
)


@dataclass(frozen=True)
class WrittenPage:
    """A result page that became a part.

    :param part: the file.
    :param columns: what it holds, in the order of the page's header.
    :param rounded: how many numbers of a column were rounded, by its name.
    """

    part: OutputFile
    columns: tuple[Column, ...]
    rounded: Mapping[str, int]

    @property
    def records(self) -> int:
        """Rows, the header not counted."""
        return self.part.records


@dataclass(frozen=True)
class OutputFormat:
    """How the parts of a data set are written.

    :param name: ``parquet``, ``csv`` or ``jsonl``.
    :param compression: None for the format's default: zstd for Parquet, none for the others.
    """

    name: str
    compression: str | None = None

    def faults(self) -> dict[str, str]:
        """What is wrong, by the name of the operator's argument."""
        known = FORMATS.get(self.name)
        if known is None:
            return {"file_format": fault_of_format(self.name)}
        if self.compression not in known.suffixes:
            offered = ", ".join(repr(each) for each in known.suffixes)
            return {"compression": f"'{self.compression}' does not go with {self.name}; use one of {offered}"}
        if known.needs_arrow and importlib.util.find_spec("pyarrow") is None:
            message = f"'{self.name}' needs pyarrow: pip install 'airflow-provider-sfjwt[parquet]', or use csv"
            return {"file_format": message}
        return {}

    @property
    def extension(self) -> str:
        """The ending of a part's name, without the first dot."""
        return FORMATS[self.name].extension(self.compression)

    def load(self) -> None:
        """Import what writes the format. That takes a while, which may pass while there is nothing to write yet."""
        FORMATS[self.name].load()

    def write_page(
        self,
        path: StoragePath,
        body: Body,
        columns: Sequence[Column],
        limits: PageLimits = ANY_PAGE,
        *,
        new_word: str | None = None,
    ) -> WrittenPage:
        """Write one result page as one part.

        :param path: the part's file.
        :param body: the page's CSV, header first; an empty body is a page without rows.
        :param columns: what is known of the columns. The page's own header decides which there are.
        :param limits: how much the page may hold. Of a page with more records than were declared, the rest is not read.
        :param new_word: what is added to the part's name where a local file has it already; None replaces that file.
        :raises TransportError: if the page is not whole.
        :raises TooLargeNumbersError: if numbers do not fit columns that may be widened.
        :raises ProtocolError: if a value does not fit its column's type.
        """
        writer: PageWriter = FORMATS[self.name].load()
        page = ResultPage.arriving(body, columns, limits)
        with writing(path, new_word=new_word) as file:
            content = writer.write_page(page, file, self.compression)
        part = OutputFile(file.name, content.records, file.bytes, file.sha256)
        return WrittenPage(part, page.columns, content.rounded)


def fault_of_format(name: str) -> str:
    """What is wrong with a ``file_format`` that is not in the registry.

    :param name: what was given.
    """
    return f"'{name}' is not one of {', '.join(FORMATS)}"


def input_file(
    path: StoragePath, file_format: str | None, part: OutputFile | None = None, options: ReadOptions = AS_IT_IS
) -> InputFile:
    """A file to read.

    :param path: the file.
    :param file_format: one of ``FORMATS``; None takes it from the ending, e.g. ``.csv`` or ``.csv.gz``.
    :param part: how a receipt lists the file, or None.
    :param options: how it is read.
    :raises ConfigurationError: if the format is not known, or the ending does not name one.
    """
    known = FORMATS.get(file_format) if file_format else _format_of(str(path))
    if known is None:
        raise unreadable(str(path), f"its format {fault_of_format(file_format or '')}")
    return InputFile(path, known.name, part, known.packing_of(str(path)), options)


def reader_of(file: InputFile) -> InputReader:
    """The module that reads a file.

    :param file: the file.
    """
    return FORMATS[file.file_format].load()


def _format_of(name: str) -> RegisteredFormat:
    for known in FORMATS.values():
        if name.lower().endswith(known.all_endings):
            return known
    *endings, last = (ending for known in FORMATS.values() for ending in known.all_endings)
    raise unreadable(name, f"its name does not end in {', '.join(endings)} or {last}. Rename it, or give file_format")
