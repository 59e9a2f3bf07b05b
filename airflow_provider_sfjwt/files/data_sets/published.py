"""A published data set, read back as typed Arrow tables: each part is compared with the receipt, all rows counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import cached_property
from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.files.data_sets.receipt import DELETION_COLUMNS, Receipt
from airflow_provider_sfjwt.files.formats.faults import unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile, unread
from airflow_provider_sfjwt.files.formats.registry import FORMATS
from airflow_provider_sfjwt.files.storage.errors import storage_failures
from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path, text_of_path
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, OutputFile, receipt_text
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: Parts that a task's result lists.
MOST_LISTED = 500


def folders_of(source: Any) -> list[str]:
    """The folders of the extracts that a task's ``source`` names.

    :param source: the folder of an extract, the path of its receipt, what its task returned, a receipt that was read,
        or a list of these.
    :return: each folder once, in the order given.
    :raises ConfigurationError: for anything else.
    """
    several = isinstance(source, Sequence) and not isinstance(source, str | bytes)
    folders = [_folder_of(each) for each in source] if several else [_folder_of(source)]
    if not folders:
        raise _refused("is an empty list; give at least one extract")
    return list(dict.fromkeys(folders))


def data_sets_of(source: Any) -> list[PublishedDataSet]:
    """The extracts that a task's ``source`` names: those of a chain in its order, others by the ends of their windows.

    Without a window, one comes first.

    :param source: as :func:`folders_of` takes it.
    :raises ConfigurationError: when nothing was published in one of the folders, or the receipt cannot be understood.
    :raises SalesforceError: retryable, when the storage fails.
    """
    beginning = datetime.min.replace(tzinfo=timezone.utc)
    data_sets = map(PublishedDataSet, folders_of(source))
    return sorted(data_sets, key=lambda each: (each.receipt.sequence or 0, each.window_end or beginning))


def fault_of_source(source: Any) -> str | None:
    """What is wrong with a task's ``source``; None when it names extracts.

    :param source: as :func:`folders_of` takes it.
    """
    try:
        folders_of(source)
    except ConfigurationError as error:
        return error.fields["source"]
    return None


def part_keys(receipt: Receipt) -> list[str]:
    """The parts as loaders of object stores take them.

    :param receipt: of an extract.
    :return: for each part its key within the bucket, e.g. ``crm/accounts/ds=2026-11-20/part-00000-….parquet``; its path
        on a file system.
    """
    folder = storage_path(receipt.output_path)
    paths = [folder / part.name for part in receipt.parts]
    return [path.path if is_local(folder) else path.key for path in paths]


def listed_parts(receipt: Receipt) -> list[str]:
    """The same for a task's result, which Airflow keeps in its database.

    :param receipt: of an extract.
    :raises ConfigurationError: when there are more than 500 parts.
    """
    if len(receipt.parts) > MOST_LISTED:
        fault = (
            f"the extract has {len(receipt.parts):,} parts, and a task's result takes {MOST_LISTED}. It is published: "
            f"{receipt.output_path.rstrip('/')}/{RECEIPT_NAME} lists them. Leave list_parts out, and call "
            "hook.part_keys(result) where they are needed"
        )
        raise ConfigurationError({"list_parts": fault}, subject="the task")
    return part_keys(receipt)


def _folder_of(source: Any) -> str:
    place = source.output_path if isinstance(source, Receipt) else source
    if isinstance(place, Mapping):
        place = place.get("receipt")
    text = text_of_path(place)
    if text is None or text.strip() in ("", "None"):
        raise _refused(f"takes the folder of an extract, its receipt, or what its task returned; this is {source!r}")
    return text.rstrip("/").removesuffix(f"/{RECEIPT_NAME}")


def _refused(fault: str) -> ConfigurationError:
    return ConfigurationError({"source": fault}, subject="the task")


class PublishedDataSet:
    """A data set whose receipt proves it complete.

    :param path: its folder, on any ``ObjectStoragePath``.
    :raises ConfigurationError: when nothing was published there, or the receipt cannot be understood.
    :raises SalesforceError: retryable, when the storage fails.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        text = self._receipt_text()
        #: In hex; it tells one published data set from every other.
        self.receipt_sha256 = hashlib.sha256(text.encode()).hexdigest()
        try:
            self.receipt = Receipt.from_json(text, path)
        except ProtocolError as error:
            raise _refused(str(error)) from None
        #: The org that the rows are of; None where the receipt does not say.
        self.org_id: str | None = decode_json(text).get("org_id")

    @property
    def window_end(self) -> datetime | None:
        """When the window of its rows ends, in UTC; None where it has no window."""
        window = self.receipt.window
        if window is None:
            return None
        return datetime.fromisoformat(window[1].replace("Z", "+00:00")).astimezone(timezone.utc)

    @cached_property
    def _folder(self) -> StoragePath:
        return storage_path(self.path)

    def _receipt_text(self) -> str:
        try:
            text = receipt_text(self._folder)
        except (ValueError, ImportError, PermissionError, NotADirectoryError) as error:
            raise unreadable(self.path, f"it cannot be opened: {error}") from error
        except storage_failures() as error:
            raise unread(self.path, error) from error
        if text is None:
            raise _refused(f"{self.path} holds no {RECEIPT_NAME}, so it is unknown which files belong to the data set")
        return text

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows, a piece at a time, in the types that the receipt names.

        A part's SHA-256 is compared before its first row is given out.

        :param columns: names of columns of the receipt, in the order that the tables shall have.
        :raises ConfigurationError: when a part is gone, is another one than the receipt lists, or holds another number
            of rows.
        :raises SalesforceError: retryable, when the storage fails.
        """
        from airflow_provider_sfjwt.files.values.from_text import arrow_type_of

        types = {each["name"]: arrow_type_of(each["arrow_type"]) for each in self.receipt.columns}
        return self._read(self.receipt.parts, types, list(columns), self.receipt.records)

    def deletions(self) -> Iterator[pa.Table]:
        """Read which records were deleted, beside those that are rows with ``IsDeleted``, a piece at a time.

        :return: tables with ``Id`` and ``DeletedDate``: its states up to that moment are void; null voids all.
        :raises ConfigurationError: as :meth:`tables` does.
        :raises SalesforceError: retryable, when the storage fails.
        """
        from airflow_provider_sfjwt.files.values.from_text import arrow_type_of

        parts = self.receipt.deleted_parts
        types = {column.name: arrow_type_of(column.arrow_type) for column in DELETION_COLUMNS}
        return self._read(parts, types, list(types), sum(part.records for part in parts))

    def _read(
        self, parts: Sequence[OutputFile], types: Mapping[str, pa.DataType], columns: list[str], records: int
    ) -> Iterator[pa.Table]:
        """The rows of some files of the receipt.

        :param parts: the files.
        :param types: of all their columns, by name.
        :param columns: to read.
        :param records: that they hold together, as the receipt says.
        """
        from airflow_provider_sfjwt.files.values.cells import UnfitValueError
        from airflow_provider_sfjwt.files.values.from_text import typed
        from airflow_provider_sfjwt.files.values.python_table import PythonTable

        known = list(types)
        file_format = FORMATS[self.receipt.file_format]
        read = 0
        for part in parts:
            packing = file_format.packing_of(part.name)
            file = InputFile(self._folder / part.name, file_format.name, part, packing)
            rows = 0
            for table, faults in file_format.load().pieces(file, columns, known):
                if faults:
                    raise unreadable(file.name, faults[0].message)
                rows += table.num_rows
                try:
                    yield typed(table.as_text() if isinstance(table, PythonTable) else table, types)
                except (ValueError, UnfitValueError) as error:
                    raise unreadable(file.name, str(error)) from None
            if rows != part.records:
                raise unreadable(file.name, f"it holds {rows:,} rows, and the receipt says {part.records:,}")
            read += rows
        if read != records:
            raise unreadable(self.path, f"its parts hold {read:,} rows, and the receipt says {records:,}")
