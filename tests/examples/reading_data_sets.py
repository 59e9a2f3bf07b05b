"""How a program without this package reads a data set: the docs include this code, a test runs it."""

# ruff: noqa: E402  # each region shows what it imports

from __future__ import annotations

# [START parts]
import json
from typing import Any

import fsspec


def receipt_of(folder: str, **storage: Any) -> dict[str, Any]:
    """The receipt of a data set. FileNotFoundError: there is none, so there is nothing to read."""
    with fsspec.open(f"{folder}/_receipt.json", mode="rt", encoding="utf-8", **storage) as file:
        return json.load(file)


def parts_of(folder: str, **storage: Any) -> list[str]:
    """The files of a data set, in the order of the result."""
    return [f"{folder}/{part['name']}" for part in receipt_of(folder, **storage)["parts"]]


# [END parts]


# [START sha256]
import hashlib


def receipt_sha256(folder: str, **storage: Any) -> str:
    """What names a receipt in a ledger: the SHA-256 of its file."""
    with fsspec.open(f"{folder}/_receipt.json", mode="rb", **storage) as file:
        return hashlib.sha256(file.read()).hexdigest()


# [END sha256]


# [START pyarrow]
import pyarrow as pa
import pyarrow.dataset as ds


def arrow_table(folder: str, **storage: Any) -> pa.Table:
    files, path = fsspec.url_to_fs(folder, **storage)
    parts = [f"{path}/{part['name']}" for part in receipt_of(folder, **storage)["parts"]]
    return ds.dataset(parts, format="parquet", filesystem=files).to_table()


# [END pyarrow]


# [START pandas]
import pandas as pd


def data_frame(folder: str, **storage: Any) -> pd.DataFrame:
    # The Arrow types keep decimals exact, and whole numbers whole where values are missing.
    frames = [
        pd.read_parquet(part, dtype_backend="pyarrow", storage_options=storage or None)
        for part in parts_of(folder, **storage)
    ]
    return pd.concat(frames, ignore_index=True)


# [END pandas]


# [START pandas_csv]
def data_frame_of_csv(folder: str, **storage: Any) -> pd.DataFrame:
    # All columns as text. Without na_values and keep_default_na, pandas takes the text "NA" for null.
    frames = [
        pd.read_csv(part, dtype="string", na_values=[""], keep_default_na=False, storage_options=storage or None)
        for part in parts_of(folder, **storage)
    ]
    return pd.concat(frames, ignore_index=True)


# [END pandas_csv]


# [START duckdb]
import duckdb


def relation(folder: str, **storage: Any) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.register_filesystem(fsspec.url_to_fs(folder, **storage)[0])  # local paths need none
    return connection.read_parquet(parts_of(folder, **storage))


# [END duckdb]


# [START duckdb_text]
TYPES = {
    "bool": "BOOLEAN",
    "int64": "BIGINT",
    "date32": "DATE",
    "timestamp[ms, tz=UTC]": "TIMESTAMPTZ",
    "float64": "DOUBLE",
    "time32[ms]": "TIME",
    "string": "VARCHAR",
}


def types_of(receipt: dict[str, Any]) -> dict[str, str]:
    """The columns' types in DuckDB, where decimal128(38, 18) is DECIMAL(38, 18)."""
    arrow_types = {column["name"]: column["arrow_type"] for column in receipt["columns"]}
    return {name: TYPES.get(type_) or type_.replace("decimal128", "DECIMAL") for name, type_ in arrow_types.items()}


def relation_of_csv(folder: str) -> duckdb.DuckDBPyRelation:
    columns = types_of(receipt_of(folder))
    # Everything is told, so that DuckDB guesses nothing from the first rows.
    return duckdb.read_csv(parts_of(folder), columns=columns, header=True, sep=",", quotechar='"', escapechar='"')


def relation_of_json_lines(folder: str) -> duckdb.DuckDBPyRelation:
    return duckdb.read_json(parts_of(folder), columns=types_of(receipt_of(folder)), format="newline_delimited")


# [END duckdb_text]


# [START json_lines]
from collections.abc import Iterator
from decimal import Decimal


def rows(folder: str, **storage: Any) -> Iterator[dict[str, Any]]:
    for part in parts_of(folder, **storage):
        with fsspec.open(part, mode="rt", encoding="utf-8", compression="infer", **storage) as file:
            for line in file:
                yield json.loads(line, parse_float=Decimal)  # a float would round


# [END json_lines]
