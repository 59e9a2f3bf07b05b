"""The folder that a sync writes to, with a folder of each object and the small files beside them.

Under the root: ``_sync.json`` (which org it is of), ``_lease.json`` (which run writes there), ``_runs/<run>/`` (what a
run was to do and what it did), and for each object a folder with ``_state.json`` and a folder for each window.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter, writing
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

VERSION = 1
_MARK = "_sync.json"
_STAMP = "%Y%m%dT%H%M%SZ"


class SyncRoot:
    """The files of a sync.

    :param path: its root, on any ``ObjectStoragePath``, e.g. ``s3://conn_id@bucket/salesforce``.
    """

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/")
        self._folder = OutputFolder(path, "output_path")

    def prepare(self, org_id: str | None, host: str | None) -> None:
        """See that the root can be written, and is of this org. A new one is marked.

        :param org_id: the org's 18-character id; None where Salesforce did not say.
        :param host: of the org.
        :raises ConfigurationError: when the root is of another org, or cannot be written.
        """
        mark = self.read_json(_MARK)
        if mark is None:
            self._folder.prove_writable()
            self.write_json({"version": VERSION, "org_id": org_id, "host": host}, _MARK)
        elif org_id and mark.get("org_id") and mark["org_id"] != org_id:
            fault = (
                f"{self.path} holds what was synced from org {mark['org_id']} ({mark.get('host')}), and the connection "
                f"leads to org {org_id} ({host}). Give this org a root of its own"
            )
            raise ConfigurationError({"output_path": fault}, subject="the task")

    def objects(self) -> list[str]:
        """The objects of which something was written, by name."""
        return [name for name in self._children() if not name.startswith(("_", "."))]

    def object_path(self, sobject: str) -> str:
        """The folder of an object.

        :param sobject: its API name.
        """
        return f"{self.path}/{sobject}"

    def window_folders(self, sobject: str, sequence: int) -> list[str]:
        """The names of the folders that runs have begun for a place in an object's chain.

        :param sobject: the object.
        :param sequence: the place, from 1.
        """
        prefix = _place(sequence)
        return [name for name in self._children(sobject) if name.startswith(prefix)]

    def read_text(self, *place: str) -> str | None:
        """The text of a small file, or None where there is none.

        :param place: folders under the root, and the file's name.
        """
        with storage_errors(self.path):
            try:
                return (self._folder / "/".join(place)).read_bytes().decode("utf-8", "replace")
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read_json(self, *place: str) -> dict[str, Any] | None:
        """A small file with a JSON object, or None where there is none.

        :param place: folders under the root, and the file's name.
        :raises ConfigurationError: for a file that another program or a newer release wrote.
        """
        text = self.read_text(*place)
        if text is None:
            return None
        try:
            content = decode_json(text)
        except ValueError:
            content = None
        if not isinstance(content, dict) or content.get("version") != VERSION:
            fault = (
                f"{self.path}/{'/'.join(place)} was not written by this release of airflow-provider-sfjwt. Upgrade it, "
                "or give the sync another root"
            )
            raise ConfigurationError({"output_path": fault}, subject="the task")
        return content

    def write_json(self, content: Mapping[str, Any], *place: str) -> None:
        """Write a small file atomically.

        :param content: with ``version``.
        :param place: folders under the root, and the file's name.
        """
        with storage_errors(self.path):
            *folders, name = place
            folder = self._folder.inner(*folders)
            folder.write_whole(name, json.dumps(content, indent=2) + "\n")

    @contextmanager
    def writing(self, *place: str) -> Iterator[FileWriter]:
        """Write a file, which is there only if the block ended without an error.

        :param place: folders under the root, and the file's name.
        """
        with storage_errors(self.path):
            *folders, name = place
            with writing(self._folder.inner(*folders) / name) as file:
                yield file

    def copy_to(self, target: Path, *place: str) -> bool:
        """Copy a file to this machine.

        :param target: the new file.
        :param place: folders under the root, and the file's name.
        :return: whether there is such a file.
        """
        with storage_errors(self.path):
            path = self._folder / "/".join(place)
            try:
                with path.fs.open(path.path, "rb") as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 2**20)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def remove(self, *place: str) -> None:
        """Remove a file, where it is there.

        :param place: folders under the root, and the file's name.
        """
        with storage_errors(self.path):
            (self._folder / "/".join(place)).unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from changing the lease until the block ends, where the storage can."""
        with self._folder.alone():
            yield

    def _children(self, *folders: str) -> list[str]:
        with storage_errors(self.path):
            return sorted(self._folder.inner(*folders, make=False).sizes())


def window_folder(sequence: int, window: Window | None, end: datetime, run: str) -> str:
    """The name of the folder of a data set.

    :param sequence: its place in the chain.
    :param window: the rows that it holds, or None for all of them.
    :param end: of what the run covers.
    :param run: eight characters of the run.
    """
    start = "full" if window is None else _stamp(window[0])
    return f"{_place(sequence)}{start}_{_stamp(end)}_{run}"


def formulas_folder(sequence: int, end: datetime, run: str) -> str:
    """The name of the folder of new values of formula fields.

    :param sequence: its place in the chain.
    :param end: when the values were read.
    :param run: eight characters of the run.
    """
    return f"{_place(sequence)}formulas_{_stamp(end)}_{run}"


def end_of_folder(name: str) -> datetime:
    """The end of what the run covered, from the name of a data set's folder.

    :param name: that :func:`window_folder` or :func:`formulas_folder` made; more may follow after a slash.
    """
    stamp = name.partition("/")[0].split("_")[2]
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=timezone.utc)


def _place(sequence: int) -> str:
    return f"w={sequence:08d}_"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime(_STAMP)
