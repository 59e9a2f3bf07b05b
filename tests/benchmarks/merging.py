"""Merging into tables: staging beside psql, changes into a large table beside the same statements by hand, memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, interleaved
from tests.benchmarks.served import PageServer
from tests.benchmarks.table_rows import CHANGED, COLUMNS, LARGE, MORE_ROWS, ROWS, SMALL
from tests.benchmarks.warehouse import Warehouse, duckdb_environment, opened

_STAGING, _CPU, _BY_HAND, _LIMIT_MB = 1.3, 8, 1.2, 200
_OURS, _PSQL = "this package", "psql"


def measure_staging(server: PageServer, runs: int) -> Section:
    """1,000,000 rows into a table. :param server: lends its environment. :param runs: of each."""
    with opened(server) as warehouse:
        rows = warehouse.scratch / "rows.csv"
        warehouse.merge(SMALL, "accounts")
        warehouse.psql(f"\\copy accounts to {rows} csv")
        renamed = [f'ALTER TABLE inserted RENAME "{name}" TO c{place}' for place, name in enumerate(COLUMNS)]
        warehouse.psql("CREATE TABLE inserted (LIKE accounts)", *renamed)

        def merged() -> Sample:
            warehouse.forget("accounts")
            return warehouse.merge(SMALL, "accounts")

        def copied() -> Sample:
            stage = "CREATE TEMPORARY TABLE staged (LIKE accounts)"
            sample = warehouse.psql(stage, f"\\copy staged from {rows} csv")
            return {**sample, "staged_seconds": sample["seconds"], "staged_cpu_seconds": sample["cpu_seconds"]}

        def inserted() -> Sample:
            warehouse.psql("TRUNCATE inserted")
            return warehouse.insert_rows("inserted")

        def by_dlt() -> Sample:
            warehouse.psql("DROP SCHEMA IF EXISTS dlt CASCADE", "DROP SCHEMA IF EXISTS dlt_staging CASCADE")
            return warehouse.dlt(SMALL)

        variants = {_OURS: merged, _PSQL: copied, "insert_rows": inserted, "dlt": by_dlt}
        samples = interleaved(variants, runs)
    return _staging_section(samples)


def _staging_section(samples: dict[str, list[Sample]]) -> Section:
    names = {
        _OURS: "this package, merge into a new table",
        _PSQL: "`psql \\copy` of the rows as CSV into a temporary table",
        "insert_rows": "`DbApiHook.insert_rows`, psycopg 3, `commit_every=10000`",
        "dlt": "dlt, merge into a new table, Arrow tables, COPY",
    }
    section = Section(
        "1,000,000 rows × 16 columns into PostgreSQL",
        [
            "PostgreSQL on the same machine, `fsync` on. Staging is from the first byte of the receipt's parts to the last "
            "row in the staging table; it includes each part's SHA-256, the counts and `ANALYZE`. psql copies CSV that "
            "was written before. `insert_rows` got Python's values, which took another time that is left out, and "
            "columns without names that need quotes. dlt read the same Parquet parts.",
        ],
        ("", "staging, s", "client CPU of staging, s", "all, s", "client CPU, s", "peak memory above imports, MB"),
    )
    for name, each in samples.items():
        keys = ("staged_seconds", "staged_cpu_seconds", "seconds", "cpu_seconds")
        figures = [Figures.of(each, key).text() if key in each[0] else "" for key in keys]
        memory = Figures.of(each, "above_bytes", MEGABYTE).text(0) if "above_bytes" in each[0] else ""
        section.rows.append((names[name], *figures, memory))
    ratio = _median(samples, _OURS, "staged_seconds") / _median(samples, _PSQL, "staged_seconds")
    less = _median(samples, "insert_rows", "cpu_seconds") / _median(samples, _OURS, "staged_cpu_seconds")
    section.verdicts = [
        Verdict(f"staging: ≤ {_STAGING} × `psql \\copy`", f"{ratio:.2f} ×", ratio <= _STAGING),
        Verdict(f"staging: ≥ {_CPU} × less client CPU than `insert_rows`", f"{less:.1f} ×", less >= _CPU),
    ]
    return section


def measure_changes(server: PageServer, runs: int) -> Section:
    """200,000 changes into 5,000,000 rows. :param server: lends its environment. :param runs: of each."""
    with opened(server) as warehouse:
        warehouse.merge(LARGE, "accounts")
        changes, script = warehouse.scratch / "changes.csv", warehouse.scratch / "by_hand.sql"
        _write_script(warehouse, changes, script)
        # Each run gets the table as it was: a copy, as nothing else has it open.
        restore = ("DROP TABLE IF EXISTS work", "CREATE TABLE work (LIKE accounts INCLUDING ALL)",
                   "INSERT INTO work SELECT * FROM accounts", "VACUUM ANALYZE work", "CHECKPOINT",
                   "DELETE FROM sfjwt_ledger WHERE target = 'public.work'")  # fmt: skip

        def merged() -> Sample:
            warehouse.psql(*restore)
            return warehouse.merge(CHANGED, "work")

        def by_hand() -> Sample:
            warehouse.psql(*restore)
            return warehouse.psql(script=script)

        samples = interleaved({_OURS: merged, _PSQL: by_hand}, runs)
    section = Section(
        "200,000 changed rows merged into 5,000,000 in PostgreSQL",
        [
            "Every 25th row is changed, 4,000 of them to deleted. By hand: the same statements in one transaction by psql, "
            "which copies CSV that was written before.",
        ],
        ("", "s", "client CPU, s", "peak memory above imports, MB"),
    )
    names = {_OURS: "this package", _PSQL: "psql, the same statements"}
    for name, each in samples.items():
        memory = Figures.of(each, "above_bytes", MEGABYTE).text(0) if name == _OURS else ""
        figures = [Figures.of(each, key).text() for key in ("seconds", "cpu_seconds")]
        section.rows.append((names[name], *figures, memory))
    ratio = _median(samples, _OURS, "seconds") / _median(samples, _PSQL, "seconds")
    section.verdicts = [Verdict(f"≤ {_BY_HAND} × the same statements by hand", f"{ratio:.2f} ×", ratio <= _BY_HAND)]
    return section


def _write_script(warehouse: Warehouse, changes: Path, script: Path) -> None:
    """Write what a merge sends to ``work`` as a script for psql, and the staged rows as CSV.

    :param warehouse: to merge in.
    :param changes: the CSV.
    :param script: the script.
    """
    warehouse.psql("CREATE TABLE work (LIKE accounts INCLUDING ALL)")
    warehouse.merge(CHANGED, "work", "--mode", "append")
    warehouse.psql(f"\\copy work to {changes} csv")
    warehouse.psql("TRUNCATE work", "DELETE FROM sfjwt_ledger WHERE target = 'public.work'")
    warehouse.merge(CHANGED, "work", "--statements", str(script))
    staged = script.read_text(encoding="utf-8").replace(":file", str(changes))
    script.write_text(f"BEGIN;\n{staged}COMMIT;\n", encoding="utf-8")


def measure_memory(server: PageServer, runs: int) -> Section:
    """Both sizes into each kind of table. :param server: lends its environment. :param runs: of each."""
    with opened(server) as warehouse:
        file, folder = warehouse.scratch / "bench.duckdb", warehouse.scratch / "delta"
        in_duckdb = Warehouse(duckdb_environment(warehouse.env, file), warehouse.scratch)

        def into_postgres(name: str) -> Sample:
            if name != CHANGED:
                warehouse.forget("accounts")
            return warehouse.merge(name, "accounts")

        def into_files(where: Warehouse, table: str, name: str) -> Sample:
            if name != CHANGED:
                file.unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
            return where.merge(name, table)

        kinds: dict[str, Callable[[str], Sample]] = {
            "PostgreSQL": into_postgres,
            "DuckDB": partial(into_files, in_duckdb, "accounts"),
            "Delta": partial(into_files, warehouse, f"file://{folder}"),
        }
        sizes = {"1,000,000 rows": SMALL, "5,000,000 rows": LARGE, "200,000 changes into these": CHANGED}
        variants: dict[str, Callable[[], Sample]] = {
            f"{kind}, {size}": partial(measured, name)
            for kind, measured in kinds.items()
            for size, name in sizes.items()
        }
        variants |= {
            f"a query of PostgreSQL into files, {rows:,} rows": partial(
                warehouse.freeze, f"SELECT * FROM accounts WHERE \"Id\" < '001{rows:012d}'"
            )
            for rows in (ROWS, MORE_ROWS)
        }
        samples = interleaved(variants, runs)
    return _memory_section(samples)


def _memory_section(samples: dict[str, list[Sample]]) -> Section:
    section = Section(
        "Peak memory of a merge",
        [
            "The high-water mark of the task's process (`VmHWM`), less what it had been when `airflow.sdk` and the operators "
            "were imported. DuckDB runs in that process, within its own `memory_limit`, 80 % of the machine; Delta's "
            "merge is done by deltalake, in that process too.",
        ],
        ("", "above an imported Airflow, MB", "s", "client CPU, s"),
    )
    for name, each in samples.items():
        figures = [Figures.of(each, key).text(1) for key in ("seconds", "cpu_seconds")]
        section.rows.append((name, Figures.of(each, "above_bytes", MEGABYTE).text(0), *figures))
    for name in samples:
        if "PostgreSQL" in name and "changes" not in name:
            most = _median(samples, name, "above_bytes") / MEGABYTE
            section.verdicts.append(Verdict(f"{name}: ≤ {_LIMIT_MB} MB", f"{most:,.0f} MB", most <= _LIMIT_MB))
    return section


def _median(samples: dict[str, list[Sample]], name: str, key: str) -> float:
    return Figures.of(samples[name], key).median
