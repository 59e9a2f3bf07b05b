"""What a reader of an extract does: follow the receipt, and check what it says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class WrongDataSetError(Exception):
    """The files are not what the receipt says."""


@dataclass(frozen=True)
class DataSet:
    """A published data set on the local disk.

    :param folder: that it lies in.
    :param receipt: decoded.
    """

    folder: Path
    receipt: dict[str, Any]

    @classmethod
    def of_receipt(cls, uri: str) -> DataSet:
        """Find a data set by its receipt.

        :param uri: ``file://…/_receipt.json``.
        """
        path = Path(urlsplit(uri).path)
        return cls(path.parent, json.loads(path.read_text(encoding="utf-8")))

    @property
    def parts(self) -> list[Path]:
        """The files, in the order of the result."""
        return [self.folder / part["name"] for part in self.receipt["parts"]]

    def digests(self) -> list[str]:
        """SHA-256 of each part as it lies on the disk."""
        return [hashlib.sha256(part.read_bytes()).hexdigest() for part in self.parts]

    def counts(self) -> tuple[int, int, int]:
        """Rows that can be read back from the files, rows of the pages, and rows of the job."""
        import pyarrow.parquet

        written = sum(pyarrow.parquet.ParquetFile(part).metadata.num_rows for part in self.parts)
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
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(self.parts[0], columns=columns)
        found: list[dict[str, Any]] = table.slice(0, rows).to_pylist()
        return found
