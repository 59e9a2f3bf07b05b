"""Delta tables of the tests: merged into by the operator, read by Delta's own reader."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator, _place


def merge(source: Any, table_uri: str, **arguments: Any) -> dict[str, Any]:
    """Merge by the operator, and return its result."""
    task = SalesforceToDeltaOperator(task_id="merge", source=source, table_uri=table_uri, **arguments)
    return task.execute({})  # type: ignore[typeddict-item]


def opened(table_uri: str) -> Any:
    """The table as deltalake opens it."""
    import deltalake

    uri, options = _place(table_uri)
    return deltalake.DeltaTable(uri, storage_options=options)


def rows(table_uri: str, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of all rows, in the order of ``Id``."""
    table = pa.table(opened(table_uri).to_pyarrow_table()).sort_by("Id")
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
