"""A PostgreSQL of the benchmarks' own, and what is measured in it: merges of this package, psql, and peers."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import table_rows
from tests.benchmarks.runs import PEERS_PYTHON, Sample, finished, fresh
from tests.benchmarks.served import CACHE, PageServer
from tests.tables import postgres_server
from tests.tables.databases import PostgreSQL

ROWS = CACHE / "table_rows"
_SETTINGS = ("shared_buffers=512MB", "max_wal_size=8GB", "fsync=on")


@dataclass(frozen=True)
class Warehouse:
    """A server, and the environment of the processes that use it.

    :param env: of a process that finds the server, as psql and as Airflow's connection ``warehouse``.
    :param scratch: for files.
    """

    env: dict[str, str]
    scratch: Path

    def psql(self, *commands: str, script: Path | None = None) -> Sample:
        """Run commands of psql in one session.

        :param commands: each SQL or a command of psql's own.
        :param script: a file of them.
        """
        given = [argument for command in commands for argument in ("-c", command)]
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *given, *(["-f", str(script)] if script else [])]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        finished(command, self.env)
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"seconds": seconds, "cpu_seconds": used}

    def merge(self, name: str, table: str, *options: str) -> Sample:
        """One merge of ours. :param name: of the data set. :param table: to merge into. :param options: more of them."""
        command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.merge_once", table_rows.source(ROWS, name)]
        return fresh([*command, table, *options], self.env)

    def insert_rows(self, table: str) -> Sample:
        """The same rows by ``DbApiHook.insert_rows``. :param table: to insert into."""
        return fresh(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.insert_rows_once", ROWS / "small", table], self.env
        )

    def freeze(self, sql: str) -> Sample:
        """The rows of a query into files. :param sql: the query."""
        return fresh([sys.executable, "-W", "ignore", "-m", "tests.benchmarks.freeze_once", sql], self.env)

    def dlt(self, name: str) -> Sample:
        """The same rows merged by dlt. :param name: of the data set."""
        return fresh([PEERS_PYTHON, "-W", "ignore", "-m", "tests.benchmarks.peers.dlt_merge", ROWS / name], self.env)

    def forget(self, table: str) -> None:
        """Drop a table and the ledger. :param table: its name."""
        self.psql(f"DROP TABLE IF EXISTS {table}, sfjwt_ledger")


@contextmanager
def opened(server: PageServer) -> Iterator[Warehouse]:
    """The same, with the data sets to merge. :param server: as for :func:`empty`."""
    table_rows.prepare(ROWS)
    with empty(server) as warehouse:
        yield warehouse


@contextmanager
def empty(server: PageServer) -> Iterator[Warehouse]:
    """Run a server as long as the ``with`` block lasts. :param server: whose environment and scratch folder are used."""
    with postgres_server.running(*_SETTINGS) as port:
        database = PostgreSQL("warehouse", port, "postgres")
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": database.user, "PGDATABASE": "postgres"}
        env = server.environment("http") | address | {"AIRFLOW_CONN_WAREHOUSE": database.connection_json()}
        env |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(server.scratch / "dlt")}
        yield Warehouse(env, server.scratch)


def duckdb_environment(env: dict[str, str], path: Path) -> dict[str, str]:
    """The environment of a merge into a DuckDB file. :param env: to change. :param path: of the file."""
    connection = json.dumps({"conn_type": "duckdb", "host": os.fspath(path)})
    return env | {"AIRFLOW_CONN_WAREHOUSE": connection}
