"""Rows of a query into an org, and what became of them back into the database."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.transfers.sql import SqlToFilesOperator
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import COLLECTIONS, JOB, instance
from tests.tables.databases import PostgreSQL, TestDatabase
from tests.transfers.sql_load_in_child import attempt, killed
from tests.transfers.sql_loads import RESULTS, SQL, break_off, fill, left, load, org, results

__all__ = ["org"]


@pytest.mark.parametrize(
    ("database", "deferrable"),
    [("psycopg", False), ("psycopg2", False), ("duckdb", False), ("sqlite", False), ("sqlite", True)],
    indirect=["database"],
)
def test_rows_go_in_and_their_outcomes_come_back(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    fill(database)
    returned = run_to_end(load(tmp_path, deferrable=deferrable), instance())
    assert returned["counts"] == {"read": 20, "sent": 20, "succeeded": 20, "failed": 0, "unprocessed": 0}
    assert (returned["results_path"], returned["staged_path"], returned["results_table"]) == (None, None, "results")
    there = {row["Number__c"]: row for row in org.rows("Item__c")}
    assert {n: (row["Key__c"], row["Text__c"]) for n, row in there.items()} == {
        n: (f"k{n:05d}", f'a "quoted", {n}\nline') for n in range(1, 21)
    }
    assert results(database) == [(n, "succeeded", None, there[n]["Id"]) for n in range(1, 21)]
    assert left(tmp_path) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_failed_rows_are_in_the_table_with_their_reason(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(database, 6)
    database.run("UPDATE customer SET code = 'k00001' WHERE n = 3")
    context = instance()
    with pytest.raises(AirflowFailException, match="1 of 6 rows was not loaded"):
        run_to_end(load(tmp_path), context)
    (failed,) = [row for row in results(database) if row[1] != "succeeded"]
    assert (failed[0], failed[1], failed[3]) == (3, "failed", None)
    assert failed[2].startswith("DUPLICATE_VALUE: ")
    assert f"The rows stay in file://{tmp_path}/staging/dag/run/load/-1" in caplog.text
    assert left(tmp_path)
    # The record in the way goes; the cleared task reads the rows that were frozen, whatever the table holds by now.
    org.delete("Item__c", next(row["Id"] for row in org.rows("Item__c") if row["Key__c"] == "k00001"))
    database.run("DELETE FROM customer")
    run_to_end(load(tmp_path), context)
    assert [row[1:3] for row in results(database)] == [("succeeded", None)] * 6
    assert sorted(row["Number__c"] for row in org.rows("Item__c") if not row["IsDeleted"]) == [2, 3, 4, 5, 6]
    assert left(tmp_path) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_skipped_rows_are_in_the_table(database: TestDatabase, org: SimulatedOrg, tmp_path: Path) -> None:
    fill(database, 4)
    database.run("UPDATE customer SET amount = 'many' WHERE n = 2")
    sql = SQL.replace("amount AS", "CAST(amount AS text) AS")
    returned = run_to_end(load(tmp_path, sql=sql, on_invalid="skip", max_failed_records=1), instance())
    assert returned["counts"]["skipped"] == 1
    assert [row[1] for row in results(database)] == ["succeeded", "skipped", "succeeded", "succeeded"]
    assert results(database)[1][2].startswith("INVALID_ROW: ")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_faulty_rows_are_read_anew_once_they_are_corrected(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database, 3)
    database.run("UPDATE customer SET amount = 'many' WHERE n = 2")
    context, sql = instance(), SQL.replace("amount AS", "CAST(amount AS text) AS")
    with pytest.raises(AirflowFailException, match="Number__c"):
        run_to_end(load(tmp_path, sql=sql), context)
    database.run("UPDATE customer SET amount = 2 WHERE n = 2")
    run_to_end(load(tmp_path, sql=sql), context)
    assert sorted(row["Number__c"] for row in org.rows("Item__c")) == [1, 2, 3]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_second_run_replaces_outcomes_by_their_keys(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database, 3)
    upsert = {"operation": "upsert", "external_id_field": "Key__c"}
    run_to_end(load(tmp_path, **upsert), instance())
    database.run("INSERT INTO customer VALUES (4, 'k00004', 4, 'new')")
    context = instance(run_id="next")
    run_to_end(load(tmp_path, **upsert), context)
    run_to_end(load(tmp_path, **upsert), context)  # cleared: it asks the database anew
    assert [row[:2] for row in results(database)] == [(n, "succeeded") for n in range(1, 5)]
    assert len(org.rows("Item__c")) == 4


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_empty_query_is_green_and_says_so(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(database)
    with caplog.at_level("INFO"):
        returned = run_to_end(load(tmp_path, sql=SQL.replace("ORDER", "WHERE n < 0 ORDER")), instance())
    assert returned["records"] == 0 and returned["counts"]["read"] == 0
    assert "The query returned no rows; there is nothing to load" in caplog.text
    assert (org.rows("Item__c"), results(database)) == ([], [])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_dry_run_checks_and_leaves_nothing(database: TestDatabase, org: SimulatedOrg, tmp_path: Path) -> None:
    fill(database)
    returned = run_to_end(load(tmp_path, dry_run=True), instance())
    assert (returned["counts"]["read"], returned["counts"]["sent"]) == (20, 0)
    assert "results" not in str(database.run("SELECT group_concat(name) FROM sqlite_master"))
    assert left(tmp_path) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_frozen_rows_are_private_and_stay_where_that_is_asked(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database)
    context = instance()
    returned = run_to_end(load(tmp_path, keep_staged=True), context)
    folder = Path(returned["staged_path"].removeprefix("file://"))
    assert folder == tmp_path / "staging/dag/run/load/-1"
    assert (folder / "rows/_receipt.json").exists() and (folder / "results/_receipt.json").exists()
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "staging/dag").stat().st_mode) == 0o700
    # A cleared task asks the database anew.
    database.run("DELETE FROM customer WHERE n > 1")
    for row in org.rows("Item__c"):
        org.delete("Item__c", row["Id"])
    assert run_to_end(load(tmp_path), context)["counts"]["read"] == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_a_staging_path_rows_wait_in_a_private_folder_of_the_worker(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import tempfile

    fill(database)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    run_to_end(load(tmp_path, staging_path=None), instance())
    root = tmp_path / f"tmp/sfjwt_staging_{os.getuid()}"
    assert (stat.S_IMODE(root.stat().st_mode), list(root.iterdir())) == (0o700, [])
    root.rmdir()
    root.symlink_to(tmp_path)
    with pytest.raises(AirflowFailException, match="staging_path: .*belongs to somebody else"):
        run_to_end(load(tmp_path, staging_path=None), instance())


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no key": ({"row_key": None}, "row_key: is missing"),
    "a key without a table": ({"results_table": None}, "row_key: goes with results_table alone"),
    "an unknown key": ({"row_key": "m"}, "row_key: the query has no column m; it has n, Key__c, Number__c, Text__c"),
    "a key that is not unique": (
        {"sql": SQL.replace("SELECT n", "SELECT n % 3 AS n")}, "row_key: n does not tell the rows apart: 0 is in rows 1 and 2; 1 is in rows 7 and 8",
    ),
    "rows without a key": ({"sql": SQL.replace("SELECT n", "SELECT NULLIF(n, 2) AS n")}, "row_key: row 1 has no n"),
    "a key of another kind": ({"sql": SQL.replace("SELECT n", "SELECT n * 0.5 AS n")}, "column n is float; CAST it to text"),
    "a key named as an outcome": (
        {"sql": SQL.replace("SELECT n", "SELECT n AS error"), "row_key": "error", "column_mapping": {"error": None}},
        "results_table has a column error of its own",
    ),
    "a query that fails": ({"sql": "SELECT * FROM missing"}, "'warehouse' refuses it: no such table: missing"),
    "a folder that is relative": ({"staging_path": "staging"}, "staging_path: 'staging' is neither a URL nor"),
    "files": ({"delimiter": ";"}, "delimiter: says how files are read"),
    "an operation": ({"operation": "merge"}, "operation: 'merge' is not one of"),
    "parameters": ({"parameters": "x"}, "parameters: must be a list of values"),
    "another connection": ({"sql_conn_id": "nowhere"}, "there is no connection 'nowhere'"),
}  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database)
    for name, (arguments, said) in BAD.items():
        with pytest.raises(AirflowFailException) as caught:
            run_to_end(load(tmp_path, **arguments), instance())
        assert said in str(caught.value), name
    assert not any("/jobs/ingest" in request.path for request in org.requests)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_rows_that_another_worker_froze_are_missed_by_name(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database)
    context = instance()
    break_off(org, tmp_path, context)
    with pytest.raises(AirflowFailException, match="staging_path: an earlier attempt has sent rows, and the rows"):
        run_to_end(load(tmp_path, staging_path=f"file://{tmp_path}/elsewhere"), context)
    run_to_end(load(tmp_path), context)
    assert len(org.rows("Item__c")) == 20


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
@pytest.mark.timeout(300)
def test_a_worker_killed_at_any_stage_loads_and_reports_each_row_once(
    database: PostgreSQL, org: SimulatedOrg, tmp_path: Path
) -> None:
    import psycopg

    fill(database, 200)
    slow = "SELECT n, code, amount, said || CASE WHEN pg_sleep(0.02) IS NULL THEN '' ELSE '' END AS said FROM customer"
    arguments = {
        "sql": SQL, "sql_conn_id": "warehouse", "sobject": "Item__c", "operation": "insert",
        "staging_path": f"file://{tmp_path}/staging", **RESULTS,
    }  # fmt: skip
    rows = tmp_path / "staging/dag/run/load/-1/rows"
    store = tmp_path / "store.json"
    address = f"host=127.0.0.1 port={database.port} user=tester dbname={database.database}"
    with psycopg.connect(address, autocommit=True) as other:

        def some(sql: str) -> bool:
            return bool(other.execute(sql).fetchall())

        # In the freezing: the server sends rows slowly.
        frozen_slowly = {**arguments, "sql": SQL.replace("FROM customer", f"FROM ({slow}) AS c")}
        killed(store, frozen_slowly, lambda: some("SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%'"))
        assert not (rows / "_receipt.json").exists()
        _killed_in_the_load(org, database, store, arguments, rows, some)
    # And the attempt that ends well.
    attempt(store, arguments)
    there = {row["Number__c"]: row for row in org.rows("Item__c")}
    assert len(org.rows("Item__c")) == len(there) == 200
    assert {row["Text__c"] for row in there.values()} == {f'a "quoted", {n}\nline' for n in range(1, 201)}
    assert results(database) == [(n, "succeeded", None, there[n]["Id"]) for n in range(1, 201)]
    assert left(tmp_path) == []


def _killed_in_the_load(
    org: SimulatedOrg,
    database: PostgreSQL,
    store: Path,
    arguments: dict[str, Any],
    rows: Path,
    some: Callable[[str], bool],
) -> None:
    # Between the freezing and the load: the org does not answer to the sign-in.
    org.add_fault(Fault("POST", "*/token", delay=60, times=1))
    killed(store, arguments, lambda: (rows / "_receipt.json").exists())
    frozen = (rows / "_receipt.json").read_text(encoding="utf-8")
    org.clear_faults()
    database.run("UPDATE customer SET said = 'changed since'")
    # In the load: the rows are uploaded.
    org.add_fault(Fault("PATCH", JOB, delay=60, times=1))
    killed(store, arguments, lambda: store.exists() and '"uploaded": true' in store.read_text(encoding="utf-8"))
    org.clear_faults()
    assert (rows / "_receipt.json").read_text(encoding="utf-8") == frozen
    # Before the commit of results_table: another merge holds the table's lock.
    some("SELECT pg_advisory_lock(hashtextextended('sfjwt:public.results', 0))")
    killed(store, arguments, lambda: some("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    some("SELECT pg_advisory_unlock(hashtextextended('sfjwt:public.results', 0))")
    assert database.run("SELECT to_regclass('results')") == [(None,)]
    # After it, before the ledger forgets.
    killed(store, arguments, None, dies_when_it_forgets=True)
    assert database.count("results") == 200


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("transport", ["bulk", "rest"])
def test_a_table_that_cannot_take_the_outcomes_costs_no_second_load(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, transport: str
) -> None:
    fill(database, 3)
    database.run("CREATE TABLE results (n integer PRIMARY KEY, outcome integer)")
    context = instance()
    with pytest.raises(AirflowFailException, match="column outcome: is integer in main.results and string"):
        run_to_end(load(tmp_path, transport=transport), context)
    database.run("DROP TABLE results", "UPDATE customer SET said = 'changed since'")
    asked = len(org.requests)
    returned = run_to_end(load(tmp_path, transport=transport), context)
    assert not [each for each in org.requests[asked:] if "/jobs" in each.path or "/composite" in each.path]
    assert (returned["records"], returned["results_path"]) == (3, None)
    assert [row[1] for row in results(database)] == ["succeeded"] * 3
    assert len(org.rows("Item__c")) == 3
    assert (left(tmp_path), context["task_state_store"].values) == ([], {})


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_rows_whose_answer_was_lost_are_in_the_table(database: TestDatabase, org: SimulatedOrg, tmp_path: Path) -> None:
    fill(database, 3)
    org.add_fault(Fault("POST", COLLECTIONS, times=None, lose_answer=True))
    with pytest.raises(AirflowFailException, match="unknown outcome"):
        run_to_end(load(tmp_path, transport="rest"), instance())
    assert [(row[1], row[2].partition(":")[0]) for row in results(database)] == [("failed", "ANSWER_LOST")] * 3


def test_sql_files_and_parameters_are_templates(tmp_path: Path) -> None:
    (tmp_path / "changed.sql").write_text("SELECT * FROM customer WHERE day >= '{{ ds }}'", encoding="utf-8")
    with DAG("templates", template_searchpath=str(tmp_path)):
        tasks = [
            load(tmp_path, sql="changed.sql", parameters={"day": "{{ ds }}"}),
            SqlToFilesOperator(task_id="f", sql="changed.sql", sql_conn_id="x", output_path="file:///{{ ds }}", parameters=["{{ ds }}"]),
        ]  # fmt: skip
    for task, parameters in zip(tasks, ({"day": "2026-11-20"}, ["2026-11-20"]), strict=True):
        task.resolve_template_files()
        task.render_template_fields({"ds": "2026-11-20"})  # type: ignore[typeddict-unknown-key]
        assert (task.sql, task.parameters) == ("SELECT * FROM customer WHERE day >= '2026-11-20'", parameters)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_rows_wait_on_an_object_store_that_all_workers_reach(
    database: TestDatabase, org: SimulatedOrg, lake: Any, tmp_path: Path
) -> None:
    fill(database, 3)
    database.run("UPDATE customer SET code = 'k00001' WHERE n = 3")
    context, staging = instance(), {"staging_path": "s3://aws_lake@lake/staging"}

    def keys() -> list[str]:
        return [each["Key"] for each in lake.list_objects_v2(Bucket="lake", Prefix="staging/").get("Contents", [])]

    with pytest.raises(AirflowFailException, match="DUPLICATE_VALUE"):
        run_to_end(load(tmp_path, **staging), context)
    assert "staging/dag/run/load/-1/rows/_receipt.json" in keys()
    database.run("DELETE FROM customer")
    org.delete("Item__c", next(row["Id"] for row in org.rows("Item__c") if row["Key__c"] == "k00001"))
    run_to_end(load(tmp_path, **staging), context)
    assert [row[1] for row in results(database)] == ["succeeded"] * 3
    assert keys() == []
