"""``DbApiHook.insert_rows`` of the rows of a data set, in a fresh process: prints JSON. Making Python's values is not counted.

The columns are named ``c0`` … ``c15``: the method quotes no names.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow.sdk  # noqa: F401

from tests.benchmarks.resources import cpu_seconds, peak_bytes

IMPORTED = peak_bytes()


class Rows:
    """The rows of a data set's parts, and what making them took.

    :param folder: of the data set.
    """

    def __init__(self, folder: Path) -> None:
        self._parts = sorted(folder.glob("part-*"))
        self.cpu_seconds = self.seconds = 0.0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        import pyarrow.parquet as pq

        for part in self._parts:
            for batch in pq.ParquetFile(part).iter_batches(10_000):
                started, computed = time.perf_counter(), cpu_seconds()
                rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
                self.seconds += time.perf_counter() - started
                self.cpu_seconds += cpu_seconds() - computed
                yield from rows


def main() -> None:
    """Insert once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("table")
    arguments = parser.parse_args()
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    rows = Rows(arguments.folder)
    hook = PostgresHook(postgres_conn_id="warehouse")
    started, computed = time.perf_counter(), cpu_seconds()
    hook.insert_rows(arguments.table, rows, [f"c{place}" for place in range(16)], commit_every=10_000)
    measured = {
        "seconds": time.perf_counter() - started - rows.seconds,
        "cpu_seconds": cpu_seconds() - computed - rows.cpu_seconds,
        "above_bytes": peak_bytes() - IMPORTED,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
