"""Queries that are frozen, and what lies in their data sets, read by pyarrow alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.tables.queries.freezing import freeze
from airflow_provider_sfjwt.tables.queries.spec import QuerySpec


def frozen(folder: Path, sql: str, parameters: Any = None, **fields: Any) -> Receipt:
    """Freeze a query of the connection ``warehouse``."""
    spec = QuerySpec(sql=sql, sql_conn_id="warehouse", parameters=parameters, **fields)
    spec.check()
    return freeze(spec, f"file://{folder}", None)


def content(folder: Path) -> pa.Table:
    """All rows of a data set, from the parts that its receipt lists."""
    receipt = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))
    return pa.concat_tables(pq.read_table(folder / part["name"]) for part in receipt["parts"])


def types(receipt: Receipt) -> dict[str, str]:
    """The Arrow type of each column."""
    return {column["name"]: column["arrow_type"] for column in receipt.columns}
