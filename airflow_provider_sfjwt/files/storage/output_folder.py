"""A folder on any object store that one task writes to."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.storage.errors import usable_folder
from airflow_provider_sfjwt.files.storage.file_writer import writing
from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path
from airflow_provider_sfjwt.files.storage.receipts import receipt_text

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath


#: Seconds for which the lock of a folder is waited for. Its holder reads and writes one small file, and removes others.
_LONGEST_WAIT = 60.0


class OutputFolder:
    """The files of a folder.

    :param path: e.g. ``s3://conn_id@bucket/accounts/ds=2026-11-20``.
    :param argument: of the task, the one that names the folder.
    :raises ConfigurationError: if there is no such kind of storage.
    """

    def __init__(self, path: str, argument: str) -> None:
        self.path = path.rstrip("/")
        self.argument = argument
        with usable_folder(path, argument):
            self._folder: StoragePath = storage_path(self.path)

    @property
    def is_local(self) -> bool:
        """Whether it is on a file system of this machine."""
        return is_local(self._folder)

    def __truediv__(self, name: str) -> StoragePath:
        """A file in the folder.

        :param name: of the file.
        """
        return self._folder / name

    def inner(self, *names: str, make: bool = True) -> OutputFolder:
        """A folder in the folder.

        :param names: of the folders on the way to it; none for this folder.
        :param make: whether a local one is made where it is missing.
        """
        if not names:
            return self
        inner = OutputFolder("/".join((self.path, *names)), self.argument)
        if make and inner.is_local:
            inner._folder.mkdir(parents=True, exist_ok=True)
        return inner

    def prove_writable(self) -> None:
        """Write a file there and remove it, which proves it on every kind of storage.

        :raises ConfigurationError: if the folder cannot be written.
        :raises SalesforceError: retryable, if its storage fails.
        """
        with usable_folder(self.path, self.argument):
            if is_local(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            probe = self / f".writable-{uuid.uuid4().hex}"
            with writing(probe) as file:
                file.write(b"\n")
            probe.unlink()

    def receipt_text(self) -> str | None:
        """The text of the receipt that is there now, or None."""
        return receipt_text(self._folder)

    def sizes(self) -> dict[str, int]:
        """The files that are there now: their sizes in bytes, by name."""
        fs, path = self._folder.fs, self._folder.path
        fs.invalidate_cache(path)
        if not fs.exists(path):
            return {}
        entries = fs.ls(path, detail=True)
        return {entry["name"].rstrip("/").rpartition("/")[2]: int(entry.get("size") or 0) for entry in entries}

    def write_whole(self, name: str, text: str) -> None:
        """Write a small file atomically: a reader sees all of it or none.

        :param name: of the file; an existing one is replaced.
        :param text: its content.
        """
        with writing(self / name) as file:
            file.write(text.encode())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from publishing and clearing away here until the block ends, where the storage can.

        A local folder is locked, and the lock ends with its process. An object store has no locks.

        :raises SalesforceError: retryable, where another process has held the lock for a minute.
        """
        if not is_local(self._folder) or not Path(self._folder.path).is_dir():
            yield
            return
        folder = os.open(self._folder.path, os.O_RDONLY)
        try:
            _lock(folder, self.path)
            yield
        finally:
            os.close(folder)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files.

        :param names: of files. Local files may be gone already.
        """
        doomed = [self / name for name in names]
        if is_local(self._folder):
            for path in doomed:
                path.unlink(missing_ok=True)
        elif doomed:
            self._folder.fs.rm([path.path for path in doomed])  # object stores take hundreds at once


def _lock(folder: int, name: str) -> None:
    """Lock an open folder, where its file system has locks."""
    until = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise SalesforceError(
                    f"another process has been publishing in {name} for {_LONGEST_WAIT:.0f} s. Nothing was published. "
                    "A retry goes on; if it lasts, end that process",
                    retryable=True,
                ) from None
            time.sleep(0.02)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EBADF, errno.EINVAL, errno.ENOSYS):
                return  # some network file systems have no locks
            raise
        else:
            return
