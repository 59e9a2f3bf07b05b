"""How a program without this package reads a data set: the docs include these functions, a test runs them."""

from __future__ import annotations

# [START parts]
import json
from pathlib import Path


def parts_of(folder: str) -> list[str]:
    """The files of a data set, in the order of the result."""
    receipt = json.loads(Path(folder, "_receipt.json").read_text(encoding="utf-8"))
    return [f"{folder}/{part['name']}" for part in receipt["parts"]]


# [END parts]


# [START pyarrow]
def with_pyarrow(folder: str):  # type: ignore[no-untyped-def]
    import pyarrow.dataset

    return pyarrow.dataset.dataset(parts_of(folder), format="parquet").to_table()


# [END pyarrow]
