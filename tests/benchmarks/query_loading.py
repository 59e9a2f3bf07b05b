"""The rows of a query into Salesforce: beside the same by hand, and memory at 1,000,000 and at 5,000,000 rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks import load_rows
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, fresh, interleaved
from tests.benchmarks.served import CACHE, PageServer
from tests.benchmarks.warehouse import Warehouse, empty

_LIMIT_MB = 200
_OURS, _BY_HAND, _RESULTS = "this package", "by hand", "with results_table"
_TYPES = {
    "currency": "numeric(18,2)",
    "int": "integer",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamptz",
}


@contextmanager
def _customers(server: PageServer) -> Iterator[Warehouse]:
    """A database with the rows once in ``customers`` and five times in ``five_times``."""
    folder = CACHE / "rows"
    load_rows.prepare(folder)
    columns = ", ".join(f'"{name}" {_TYPES.get(kind, "text")}' for name, kind, _ in load_rows.COLUMNS)
    names = ", ".join(f'"{name}"' for name in load_rows.NAMES)
    with empty(server) as warehouse:
        warehouse.psql(
            f"CREATE TABLE customers (n bigserial, {columns})",
            f"\\copy customers ({names}) from {load_rows.path(folder, 'csv')} csv header",
            "CREATE TABLE five_times (LIKE customers)",
            f"INSERT INTO five_times SELECT n + copy * {load_rows.ROWS}, {names} FROM customers, generate_series(0, 4) AS copy",
            "VACUUM ANALYZE",
        )
        yield warehouse


def _load(server: PageServer, warehouse: Warehouse, table: str, *options: str) -> Sample:
    warehouse.psql("DROP TABLE IF EXISTS results")
    server.configure(keep_uploads="--results" in options)
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.query_load_once", table, *options]
    sample = fresh(command, server.environment("https") | warehouse.env)
    arrived = server.counted()["uploaded_rows"]
    if not arrived or arrived != sample["records"]:
        raise ValueError(f"{arrived:,} rows have arrived and {sample['records']:,} were reported")
    return sample


def measure(server: PageServer, runs: int) -> Section:
    """Beside the same by hand. :param server: that takes the rows. :param runs: of each."""
    with _customers(server) as warehouse:
        samples = interleaved(
            {
                _OURS: lambda: _load(server, warehouse, "customers"),
                _BY_HAND: lambda: _load(server, warehouse, "customers", "--by-hand"),
                _RESULTS: lambda: _load(server, warehouse, "customers", "--results"),
            },
            runs,
        )
    section = Section(
        "1,000,000 rows × 11 columns of a query in PostgreSQL loaded",
        [
            "`SqlToSalesforceOperator`, insert, over https to the server that takes the loads above. By hand: psycopg's COPY "
            "of the same query into a CSV file, with booleans and moments written as a load reads them, then a load of "
            "that file. Frozen is what a retry reads: the data set with its types and receipt, or the CSV file. "
            "`results_table` fetches every row's outcome and merges it into a table.",
        ],
        ("", "frozen, s", "all, s", "client CPU, s", "peak memory above imports, MB"),
    )
    titles = {
        _OURS: "this package",
        _BY_HAND: "by hand: COPY to CSV, then a load",
        _RESULTS: "this package, `results_table`",
    }
    for name, each in samples.items():
        figures = [Figures.of(each, key).text() for key in ("frozen_seconds", "seconds", "cpu_seconds")]
        section.rows.append((titles[name], *figures, Figures.of(each, "above_bytes", MEGABYTE).text(0)))
    return section


def measure_memory(server: PageServer, runs: int) -> Section:
    """Both sizes. :param server: that takes the rows. :param runs: of each."""
    sizes = {"1,000,000 rows": "customers", "5,000,000 rows": "five_times"}
    with _customers(server) as warehouse:
        variants = {
            f"{kind}{size}": (lambda table=table, options=options: _load(server, warehouse, table, *options))
            for kind, options in (("", ()), ("results_table, ", ("--results",)))
            for size, table in sizes.items()
        }
        samples = interleaved(variants, runs)
    section = Section(
        "Peak memory of a load of a query",
        [
            "`SqlToSalesforceOperator` from PostgreSQL, insert. The high-water mark of the task's process (`VmHWM`), less "
            "what it had been when `airflow.sdk` and the operator were imported.",
        ],
        ("", "above an imported Airflow, MB", "s", "client CPU, s"),
    )
    for name, each in samples.items():
        figures = [Figures.of(each, key).text(1) for key in ("seconds", "cpu_seconds")]
        memory = Figures.of(each, "above_bytes", MEGABYTE)
        section.rows.append((name, memory.text(0), *figures))
        section.verdicts.append(
            Verdict(f"{name}: ≤ {_LIMIT_MB} MB", f"{memory.median:,.0f} MB", memory.median <= _LIMIT_MB)
        )
    return section
