"""The rows that one task instance froze: where they are, when they are read again, and when they are removed."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_sfjwt.compat import TaskAttempt
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures, usable_folder
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path
from airflow_provider_sfjwt.tables.queries.freezing import freeze

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.files.storage.receipts import Writer
    from airflow_provider_sfjwt.tables.queries.spec import QuerySpec

_log = logging.getLogger(__name__)
#: Says that no retry needs the rows, so that the next attempt asks the database anew.
_SETTLED = "_settled"
#: The report of a load that is green, until its outcomes are in their table.
_LOADED = "_loaded.json"
#: The attempt that froze the rows.
_FROZEN_BY = "_frozen_by.json"
_ARGUMENT = "staging_path"


class FrozenRows:
    """The folder of one task instance below the task's ``staging_path``.

    :param staging_path: on any ``ObjectStoragePath``; None for a folder of this machine for temporary files, which
        belongs to the user that runs the task.
    :param writer: the task instance.
    :param attempt: of it; None where nobody counts them.
    """

    def __init__(self, staging_path: str | None, writer: Writer, attempt: TaskAttempt | None = None) -> None:
        self._root = (staging_path or _private_folder()).rstrip("/")
        self._writer = writer
        self._attempt = attempt
        names = (writer.dag_id, writer.run_id, writer.task_id, str(writer.map_index))
        self.path = "/".join([self._root, *(quote(name, safe="+:~@=") for name in names)])
        #: The data set, the load's results and what goes into ``results_table``.
        self.rows, self.results, self.outcomes = (f"{self.path}/{name}" for name in ("rows", "results", "outcomes"))
        self._folder = OutputFolder(self.path, _ARGUMENT)
        with usable_folder(self.path, _ARGUMENT):
            self._is_local = is_local(storage_path(self.path))
        if self._is_of_a_deleted_run():
            self.sweep()

    def of(self, spec: QuerySpec, *, begun: bool) -> Receipt:
        """Freeze the query, or take the rows that an earlier attempt froze.

        :param spec: the query; it has been checked.
        :param begun: whether an earlier attempt has sent rows, so that these must be read again.
        :raises ConfigurationError: when they must be, and are not there; or as :func:`freeze` does.
        """
        found = self._found()
        if begun and found is None:
            fault = (
                f"an earlier attempt has sent rows, and the rows that it froze are not in {self.rows}. Give a folder "
                "that all workers share, and load the rest in a new run"
            )
            raise ConfigurationError({_ARGUMENT: fault}, subject="the task")
        if found is not None and (begun or self._serves(found, spec)):
            if found.sql is None or found.sql["sha256"] != spec.sha256:
                _log.warning("The query has changed since rows were sent; the rows that it returned then are loaded")
            _log.info("%s rows that an earlier attempt froze are in %s", f"{found.records:,}", self.rows)
            return found
        with self.private():
            receipt = freeze(spec, self.rows, self._writer, argument=_ARGUMENT)
            if self._attempt is not None:
                with storage_errors(self.path, _ARGUMENT):
                    self._folder.write_whole(_FROZEN_BY, json.dumps(self._attempt._asdict()))
        with storage_errors(self.path, _ARGUMENT):
            self._folder.remove(name for name in self._folder.sizes() if name in (_SETTLED, _LOADED))
        return receipt

    def loaded(self) -> str | None:
        """The report of a load of these rows that was green, or None."""
        with usable_folder(self.path, _ARGUMENT):
            if _LOADED not in self._folder.sizes():
                return None
            return str((self._folder / _LOADED).read_text(encoding="utf-8"))

    def note_loaded(self, report: str) -> None:
        """Let a retry know that the rows are loaded, and need not be sent again.

        :param report: of the load, as JSON.
        """
        with storage_errors(self.path, _ARGUMENT), self.private():
            self._folder.write_whole(_LOADED, report)

    def settle(self) -> None:
        """Let the next attempt ask the database anew."""
        with storage_errors(self.path, _ARGUMENT), self.private():
            self._folder.write_whole(_SETTLED, "")

    def sweep(self) -> None:
        """Remove everything. What cannot be removed is named in the log."""
        path = storage_path(self.path)
        try:
            path.fs.rm(path.path, recursive=True)
        except FileNotFoundError:
            return
        except storage_failures() as error:
            _log.warning("%s could not be removed: %s", self.path, error)
            return
        if self._is_local:
            self._remove_empty_parents(Path(path.path))

    @contextmanager
    def private(self) -> Iterator[None]:
        """Let nobody else read the files and folders that are made on this machine: 0600 and 0700."""
        before = os.umask(0o077) if self._is_local else None
        try:
            yield
        finally:
            if before is not None:
                os.umask(before)

    def _is_of_a_deleted_run(self) -> bool:
        """Whether the rows are those of a run that was deleted, and made again under the same id."""
        with usable_folder(self.path, _ARGUMENT):
            if self._attempt is None or _FROZEN_BY not in self._folder.sizes():
                return False
            text = (self._folder / _FROZEN_BY).read_text(encoding="utf-8")
        return self._attempt.is_of_a_new_run(TaskAttempt.from_json(json.loads(text)))

    def _found(self) -> Receipt | None:
        with usable_folder(self.path, _ARGUMENT):
            folder = DataSetFolder(self.rows, _ARGUMENT)
            receipt = folder.previous_receipt
            return receipt if receipt is not None and folder.holds(receipt) else None

    def _serves(self, found: Receipt, spec: QuerySpec) -> bool:
        """Whether a retry may take what an attempt froze that has sent nothing."""
        same = found.sql is not None and found.sql["sha256"] == spec.sha256
        return same and _SETTLED not in self._folder.sizes()

    def _remove_empty_parents(self, path: Path) -> None:
        root = Path(storage_path(self._root).path)
        with suppress(OSError):  # another task instance has rows there
            for parent in path.parents:
                if parent == root:
                    return
                parent.rmdir()


def _private_folder() -> str:
    """A folder for temporary files that nobody else can have made.

    :raises ConfigurationError: when somebody has.
    """
    folder = Path(tempfile.gettempdir(), f"sfjwt_staging_{os.getuid()}")
    with usable_folder(str(folder), _ARGUMENT):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            fault = f"{folder} belongs to somebody else; give a folder of your own"
            raise ConfigurationError({_ARGUMENT: fault}, subject="the task")
    return f"file://{folder}"
