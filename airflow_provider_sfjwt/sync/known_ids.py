"""The ids of the rows that a chain leaves, in a database file on the worker's disk: memory does not grow with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DELETED = "IsDeleted"


class KnownIds:
    """Ids with the moment of the last change that the chain knows.

    :param folder: where the file is made.
    :param cursor_field: the column that says when a row last changed.
    """

    def __init__(self, folder: Path, cursor_field: str) -> None:
        self._cursor_field = cursor_field
        self._database = sqlite3.connect(folder / "known.sqlite", isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE known (id TEXT PRIMARY KEY, changed INTEGER) WITHOUT ROWID")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def apply(self, data_set: PublishedDataSet) -> None:
        """Apply the next data set of the chain: first its deletions, then its rows.

        :param data_set: with the columns ``Id`` and the cursor, or with new values of formula fields.
        """
        if data_set.receipt.only_formulas:
            return
        self._database.execute("BEGIN")
        for table in data_set.deletions():
            known = "DELETE FROM known WHERE id = ? AND (? IS NULL OR changed IS NULL OR changed <= ?)"
            moments = _milliseconds(table, "DeletedDate")
            self._database.executemany(
                known, ((record, at, at) for record, at in zip(table["Id"].to_pylist(), moments, strict=True))
            )
        names = [each["name"] for each in data_set.receipt.columns]
        with_deleted = _DELETED in names
        for table in data_set.tables(["Id", self._cursor_field, *([_DELETED] if with_deleted else [])]):
            ids, moments = table["Id"].to_pylist(), _milliseconds(table, self._cursor_field)
            gone = table[_DELETED].to_pylist() if with_deleted else [False] * len(ids)
            rows = list(zip(ids, moments, gone, strict=True))
            self._database.executemany(
                "INSERT OR REPLACE INTO known VALUES (?, ?)", ((each, at) for each, at, dead in rows if not dead)
            )
            self._database.executemany("DELETE FROM known WHERE id = ?", ((each,) for each, _, dead in rows if dead))
        self._database.execute("COMMIT")

    def take_out(self, ids: Iterable[str]) -> None:
        """Forget ids that the org has.

        :param ids: of 18 characters.
        """
        self._database.execute("BEGIN")
        self._database.executemany("DELETE FROM known WHERE id = ?", ((each,) for each in ids))
        self._database.execute("COMMIT")

    def left(self) -> Iterator[tuple[str, datetime | None]]:
        """The ids that were not taken out, with the moments of their last known changes."""
        for record, changed in self._database.execute("SELECT id, changed FROM known ORDER BY id"):
            yield record, None if changed is None else _EPOCH + timedelta(milliseconds=changed)


def _milliseconds(table: pa.Table, name: str) -> list[int | None]:
    import pyarrow as pa

    moments: list[int | None] = table[name].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_pylist()
    return moments
