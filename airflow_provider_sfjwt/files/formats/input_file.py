"""A file to read, on any object store: opened, unpacked, and compared with the receipt that lists it."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.formats.faults import unreadable
from airflow_provider_sfjwt.files.storage.errors import reason_of, storage_failures
from airflow_provider_sfjwt.files.storage.receipts import OutputFile

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: Bytes that an object store's client reads ahead.
_READ_AHEAD = 4 * 2**20


@dataclass
class InputFile:
    """A file to load.

    :param path: the file.
    :param file_format: its name in the registry.
    :param part: how a receipt lists it, or None.
    :param packed: whether there is gzip around it.
    """

    path: StoragePath
    file_format: str
    part: OutputFile | None = None
    packed: bool = False
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
            with self._raw(in_order) as raw:
                if self.packed:
                    with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                        yield cast(BinaryIO, unpacked)
                else:
                    yield raw
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise unreadable(self.name, f"it cannot be unpacked: {error}") from None
        except FileNotFoundError:
            raise unreadable(self.name, "there is no such file") from None
        except storage_failures() as error:
            raise unread(self.name, error) from error

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
