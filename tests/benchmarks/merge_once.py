"""One merge in a fresh process, as a task does it: prints JSON with times, memory and what became of the rows.

``staged_seconds`` and ``staged_cpu_seconds`` are those of staging: from the first byte of the receipt's parts to the last
row in the staging table, hashes, counts and PostgreSQL's ANALYZE included.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator  # noqa: F401
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator  # noqa: F401
from tests.benchmarks.resources import cpu_seconds, peak_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.tables.columns import MergeColumn
    from airflow_provider_sfjwt.tables.database import Database
    from airflow_provider_sfjwt.tables.report import MergeReport

#: Before anything else is imported: what a worker has in memory before the task begins.
IMPORTED = peak_bytes()


def main() -> None:
    """Merge once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source")
    parser.add_argument("table", help="its name; the folder of a Delta table as a URL")
    parser.add_argument("--mode", default="merge")
    parser.add_argument("--statements", type=Path, help="write what PostgreSQL was sent, as a script for psql")
    arguments = parser.parse_args()
    measured: dict[str, float] = {}
    statements: list[str] = []
    if "://" not in arguments.table:
        _watch(measured, statements)
    started, computed = time.perf_counter(), cpu_seconds()
    report = _merged(arguments.source, arguments.table, arguments.mode)
    measured |= {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - computed,
        "imported_bytes": IMPORTED,
        "peak_bytes": peak_bytes(),
        "above_bytes": peak_bytes() - IMPORTED,
        **{name: getattr(report, name) for name in ("staged", "inserted", "updated", "deleted")},
    }
    if arguments.statements:
        arguments.statements.write_text("".join(f"{each};\n" for each in statements), encoding="utf-8")
    print(json.dumps(measured))


def _merged(source: str, table: str, mode: str) -> MergeReport:
    if "://" in table:
        from airflow_provider_sfjwt.tables.delta import DeltaSpec, merge_into_delta

        spec = DeltaSpec(source=source, table_uri=table, mode=mode)
        return merge_into_delta(spec, table.removeprefix("file://"), {})
    from airflow_provider_sfjwt.tables import merge

    return merge(source, sql_conn_id="warehouse", table=table, mode=mode)


def _watch(measured: dict[str, float], statements: list[str]) -> None:
    """Let the back ends tell how long staging takes, and what they are asked.

    :param measured: takes the times.
    :param statements: takes the statements, parameters included.
    """
    from airflow_provider_sfjwt.tables.backends import BACKENDS

    def watched(backend: type[Any]) -> type[Any]:
        def run(self: Database, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            statements.append(_inlined(sql, parameters))
            return backend.run(self, sql, parameters)  # type: ignore[no-any-return]

        def write(self: Database, sql: str) -> int:
            statements.append(sql)
            return backend.write(self, sql)  # type: ignore[no-any-return]

        def stage(self: Database, columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> None:
            statements.append(f"\\copy {self.stage_sql} from :file csv")
            started, computed = time.perf_counter(), cpu_seconds()
            backend.stage(self, columns, tables)
            measured["staged_seconds"] = time.perf_counter() - started
            measured["staged_cpu_seconds"] = cpu_seconds() - computed

        return type(backend.__name__, (backend,), {"run": run, "write": write, "stage": stage})

    BACKENDS.update({name: watched(backend) for name, backend in BACKENDS.items()})


def _inlined(sql: str, parameters: Sequence[Any]) -> str:
    pieces = sql.split("?")
    literals = ["NULL" if each is None else f"{each}" if isinstance(each, int) else _text(each) for each in parameters]
    return "".join(piece + literal for piece, literal in zip(pieces, [*literals, ""], strict=True))


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    main()
