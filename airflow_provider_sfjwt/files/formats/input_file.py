"""A file to read, on any object store: opened, unpacked, and compared with the receipt that lists it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.formats.faults import unreadable
from airflow_provider_sfjwt.files.formats.packing import DamagedError, unpacked
from airflow_provider_sfjwt.files.formats.recoding import WrongEncodingError, as_utf8, is_utf8
from airflow_provider_sfjwt.files.storage.errors import reason_of, storage_failures
from airflow_provider_sfjwt.files.storage.receipts import OutputFile

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: Bytes that an object store's client reads ahead.
_READ_AHEAD = 4 * 2**20


@dataclass(frozen=True)
class ReadOptions:
    """How files are read that do not say so themselves.

    :param delimiter: of CSV, one character; None takes the one that the first row has.
    :param encoding: of CSV and JSON, one that Python knows.
    :param header: the columns of a CSV that has no header; None takes its first row.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    header: tuple[str, ...] | None = None


#: Everything as the files say it, in UTF-8.
AS_IT_IS = ReadOptions()


@dataclass
class InputFile:
    """A file to load.

    :param path: the file.
    :param file_format: its name in the registry.
    :param part: how a receipt lists it, or None.
    :param packing: the compression around it, as ``PACKINGS`` names it, or None.
    :param options: how it is read.
    """

    path: StoragePath
    file_format: str
    part: OutputFile | None = None
    packing: str | None = None
    options: ReadOptions = AS_IT_IS
    _verified: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """The path, for messages."""
        return str(self.path)

    @contextmanager
    def opened(self, *, in_order: bool = True) -> Iterator[BinaryIO]:
        """Open the file, unpacked.

        :param in_order: whether it is read from beginning to end; otherwise an object store's client fetches no more
            than each read asks for.
        :raises ConfigurationError: if it cannot be unpacked, is missing, or is not the file that a receipt lists.
        :raises SalesforceError: retryable, if the storage fails.
        """
        self._verify()
        try:
            with ExitStack() as layers:
                stream = layers.enter_context(self._raw(in_order))
                yield layers.enter_context(unpacked(stream, self.packing)) if self.packing else stream
        except DamagedError as error:
            raise unreadable(self.name, f"it cannot be unpacked: {error}") from None
        except FileNotFoundError:
            raise unreadable(self.name, "there is no such file") from None
        except storage_failures() as error:
            raise unread(self.name, error) from error

    @contextmanager
    def opened_text(self) -> Iterator[BinaryIO]:
        """Open the file, unpacked and as UTF-8. A byte that is not of the file's encoding is not UTF-8 either.

        :raises ConfigurationError: as :meth:`opened`, and if the file is in another encoding than it should be.
        :raises SalesforceError: retryable, if the storage fails.
        """
        with self.opened() as stream:
            try:
                yield stream if is_utf8(self.options.encoding) else as_utf8(stream, self.options.encoding)
            except WrongEncodingError as error:
                raise unreadable(self.name, str(error), "encoding") from None

    def _raw(self, in_order: bool = True) -> Any:
        cache = {} if in_order else {"cache_type": "none"}
        return self.path.fs.open(self.path.path, "rb", block_size=_READ_AHEAD, **cache)

    def _verify(self) -> None:
        """Compare the file with the receipt's SHA-256, once."""
        if self.part is None or self._verified:
            return
        digest = hashlib.sha256()
        try:
            with self._raw() as raw:
                while block := raw.read(2**20):
                    digest.update(block)
        except FileNotFoundError:
            raise unreadable(self.name, "the receipt lists this part, and it is gone") from None
        if digest.hexdigest() != self.part.sha256:
            raise unreadable(self.name, "it is not the part that the receipt lists: its SHA-256 differs")
        self._verified = True


def unread(name: str, error: Exception) -> SalesforceError:
    """The retryable error for a storage that failed while it was read.

    :param name: the file.
    :param error: what the storage raised.
    """
    return SalesforceError(f"reading {name} (source) failed: {reason_of(error)}", retryable=True)
