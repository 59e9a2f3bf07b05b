"""How a program without this package reads a data set: the docs include this code, a test runs it."""

from __future__ import annotations

# [START pyarrow]
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds


def parts_of(folder: str) -> list[str]:
    """The files of a data set, in the order of the result."""
    receipt = json.loads(Path(folder, "_receipt.json").read_text(encoding="utf-8"))
    return [f"{folder}/{part['name']}" for part in receipt["parts"]]


def read(folder: str) -> pa.Table:
    return ds.dataset(parts_of(folder), format="parquet").to_table()


# [END pyarrow]
