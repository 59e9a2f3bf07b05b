"""The data set of a query: its receipt, and what a failure leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.tables.queries.freezing import freeze
from airflow_provider_sfjwt.tables.queries.spec import QuerySpec
from tests.json_schema import undescribed
from tests.repository import REPOSITORY
from tests.tables.databases import SQLite
from tests.tables.queries.frozen import frozen

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
SCHEMA = json.loads((REPOSITORY / "docs/receipt.schema.json").read_text(encoding="utf-8"))


def receipt_in(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))
    return content


@ON_SQLITE
@pytest.mark.parametrize("rows", [0, 3])
def test_the_receipt_is_that_of_the_schema(database: SQLite, tmp_path: Path, rows: int) -> None:
    sql = f"SELECT value AS n, value || 'x' AS t FROM json_each('{list(range(rows))}')"
    spec = QuerySpec(sql=sql, sql_conn_id="warehouse")
    freeze(spec, f"file://{tmp_path}/out", Writer("dag", "run", "task", -1))
    receipt = receipt_in(tmp_path / "out")
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(receipt)] == []
    assert undescribed(SCHEMA, receipt) == []
    assert (receipt["transport"], receipt["records"], len(receipt["parts"])) == ("sql", rows, 1)
    assert receipt["sql"] == {"query": sql, "conn_id": "warehouse", "sha256": spec.sha256}
    data_set = PublishedDataSet(f"file://{tmp_path}/out")
    assert [row for table in data_set.tables(["n", "t"]) for row in table.to_pylist()] == [
        {"n": n, "t": f"{n}x"} for n in range(rows)
    ]


def test_another_query_has_another_hash() -> None:
    same = QuerySpec(sql="SELECT 1", sql_conn_id="a", parameters=[1])
    others = [
        QuerySpec(sql="SELECT 2", sql_conn_id="a", parameters=[1]),
        QuerySpec(sql="SELECT 1", sql_conn_id="b", parameters=[1]),
        QuerySpec(sql="SELECT 1", sql_conn_id="a", parameters=[2]),
    ]
    assert len({each.sha256 for each in (same, *others)}) == 4


@ON_SQLITE
def test_a_data_set_is_replaced_as_a_whole_or_stays(database: SQLite, tmp_path: Path) -> None:
    frozen(tmp_path / "out", "SELECT 1 AS n")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ConfigurationError, match="column n: holds int and str"):
        frozen(tmp_path / "out", "SELECT 1 AS n UNION ALL SELECT 'x'")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    frozen(tmp_path / "out", "SELECT 'x' AS n, 2 AS m")
    receipt = receipt_in(tmp_path / "out")
    assert receipt["drift"] == {"added": ["m"], "removed": [], "retyped": ["n"]}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"_receipt.json", receipt["parts"][0]["name"]}
