"""What a reader of an extract does: follow the receipt, and check what it says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from upath import UPath


class WrongDataSetError(Exception):
    """The files are not what the receipt says."""


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    :param folder: that it lies in, on the local disk or in an object store.
    :param receipt: decoded.
    """

    folder: UPath
    receipt: dict[str, Any]

    @classmethod
    def of_receipt(cls, uri: str) -> DataSet:
        """Find a data set by its receipt.

        :param uri: ``file://…/_receipt.json``.
        """
        return cls.in_folder(UPath(Path(urlsplit(uri).path).parent))

    @classmethod
    def in_folder(cls, folder: UPath) -> DataSet:
        """Read the receipt of a folder.

        :param folder: that the data set lies in.
        """
        return cls(folder, json.loads((folder / "_receipt.json").read_text(encoding="utf-8")))

    @property
    def parts(self) -> list[UPath]:
        """The files, in the order of the result."""
        return [self.folder / part["name"] for part in self.receipt["parts"]]

    def digests(self) -> list[str]:
        """SHA-256 of each part as it lies on the disk."""
        return [hashlib.sha256(part.read_bytes()).hexdigest() for part in self.parts]

    def counts(self) -> tuple[int, int, int]:
        """Rows that can be read back from the files, rows of the pages, and rows of the job."""
        import pyarrow.parquet

        written = 0
        for part in self.parts:
            with part.open("rb") as file:
                written += pyarrow.parquet.ParquetFile(file).metadata.num_rows
        return written, self.receipt["counts"]["pages"], self.receipt["counts"]["job"]

    def check(self) -> int:
        """Hold files and receipt against each other.

        :return: the number of rows.
        :raises WrongDataSetError: when they differ.
        """
        written, pages, job = self.counts()
        if not written == pages == job == self.receipt["records"]:
            raise WrongDataSetError(f"{written} rows written, {pages} in the pages, {job} in the job")
        if self.digests() != [part["sha256"] for part in self.receipt["parts"]]:
            raise WrongDataSetError(f"a part in {self.folder} is not the one that the receipt names")
        strangers = {each.name for each in self.folder.iterdir()} - {each.name for each in self.parts}
        if strangers != {"_receipt.json"}:
            raise WrongDataSetError(f"{self.folder} holds more than the data set: {sorted(strangers)}")
        return written

    def first_rows(self, rows: int, columns: list[str]) -> list[dict[str, Any]]:
        """Read the beginning.

        :param rows: how many.
        :param columns: which.
        """

        found: list[dict[str, Any]] = self._table(self.parts[0], columns).slice(0, rows).to_pylist()
        return found

    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order of the result."""
        return [row for part in self.parts for row in self._table(part).to_pylist()]

    @staticmethod
    def _table(part: UPath, columns: list[str] | None = None) -> Any:
        import pyarrow.parquet

        with part.open("rb") as file:
            return pyarrow.parquet.read_table(file, columns=columns)
