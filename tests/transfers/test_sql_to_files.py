from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator, SqlToFilesOperator
from tests.operators.load_task import instance
from tests.tables.databases import PostgreSQL


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_a_query_into_files_is_a_source_of_other_tasks(database: PostgreSQL, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE customer (n integer PRIMARY KEY, said text)",
        "INSERT INTO customer SELECT n, 'said ' || n FROM generate_series(1, 5) AS n",
    )
    sql = "SELECT n, said FROM customer WHERE n <= %(most)s ORDER BY n"
    task = SqlToFilesOperator(
        task_id="rows", sql=sql, sql_conn_id="warehouse", output_path=f"file://{tmp_path}/out", parameters={"most": 3}
    )
    returned = task.execute(instance(task_id="rows"))
    assert returned == {
        "receipt": f"file://{tmp_path}/out/_receipt.json", "output_path": f"file://{tmp_path}/out", "records": 3,
        "job_id": None, "window": None,
    }  # fmt: skip
    copy = SalesforceToSqlOperator(task_id="copy", source=returned, sql_conn_id="warehouse", table="copied", key="n")
    assert copy.execute(instance(task_id="copy"))["inserted"] == 3
    assert database.run("SELECT * FROM copied ORDER BY n") == database.run(
        "SELECT n, said FROM customer ORDER BY n LIMIT 3"
    )
    with pytest.raises(AirflowFailException, match="output_path: "):
        SqlToFilesOperator(task_id="rows", sql=sql, sql_conn_id="warehouse", output_path="out").execute(instance())
