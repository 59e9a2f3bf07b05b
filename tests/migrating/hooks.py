"""What people do with the official hook, and the same with this one: both sides of each row are run, and shown."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOQL = "SELECT Id, Name, NumberOfEmployees, CreatedDate, Owner.Name FROM Account ORDER BY Id"
FLAT = "SELECT Id, Name, NumberOfEmployees, CreatedDate FROM Account ORDER BY Id"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    :param of: the class, method or parameter of the official provider.
    :param official: an expression of ``hook``, ``soql`` and ``path``.
    :param here: the same for this provider.
    :param differs: what is not the same.
    :param soql: the query.
    """

    of: str
    official: str
    here: str
    differs: str = ""
    soql: str = SOQL


ROWS = [
    Row("get_conn()", 'hook.get_conn().query(soql)["totalSize"]', 'hook.get_conn().query(soql)["totalSize"]'),
    Row("conn", 'hook.conn.query(soql)["totalSize"]', 'hook.get_conn().query(soql)["totalSize"]'),
    Row(
        "make_query(query)",
        'hook.make_query(query=soql)["records"]',
        "list(hook.query(soql))",
        "dicts without `attributes`; an iterator that holds one page; the rows are counted against `totalSize`",
    ),
    Row(
        'make_query(query)["totalSize"]',
        'hook.make_query(soql)["totalSize"]',
        "len(list(hook.query(soql)))",
        'of `SELECT COUNT()`, the official hook says 0; here `next(hook.query(…))["expr0"]` is the count',
    ),
    Row(
        "make_query(include_deleted)",
        'hook.make_query(soql, include_deleted=True)["records"]',
        "list(hook.query(soql, include_deleted=True))",
    ),
    Row(
        "make_query(query_params)",
        'hook.make_query(soql, query_params={"headers": {"Sforce-Query-Options": "batchSize=200"}})["records"]',
        'hook.get_conn().query_all(soql, headers={"Sforce-Query-Options": "batchSize=200"})["records"]',
        "the same client, simple-salesforce",
    ),
    Row(
        "describe_object(obj)",
        '[field["type"] for field in hook.describe_object(obj="Account")["fields"]]',
        '[field["type"] for field in hook.describe("Account")["fields"]]',
    ),
    Row("get_available_fields(obj)", 'hook.get_available_fields(obj="Account")', 'hook.field_names("Account")'),
    Row(
        "get_object_from_salesforce(obj, fields)",
        'hook.get_object_from_salesforce(obj="Account", fields=["Id", "Name"])["records"]',
        'list(hook.query("SELECT Id, Name FROM Account"))',
        "for many rows: `hook.extract(sobject=…, fields=…, output_path=…)`",
    ),
    Row(
        "object_to_df(query_results)",
        'hook.object_to_df(query_results=hook.make_query(soql)["records"])',
        "hook.query_pandas(soql)",
        "typed: whole numbers stay whole beside nulls, moments are moments; columns keep Salesforce's spelling, a parent's "
        "fields are columns such as `Owner.Name`",
        FLAT,
    ),
    Row(
        "object_to_df(coerce_to_timestamp)",
        'hook.object_to_df(query_results=hook.make_query(soql)["records"], coerce_to_timestamp=True)["createddate"].to_list()',
        'hook.query_pandas(soql)["CreatedDate"].map(lambda moment: moment.timestamp()).to_list()',
        "needed no more: the column is a timestamp in UTC",
        FLAT,
    ),
    Row(
        "object_to_df(record_time_added)",
        'hook.object_to_df(query_results=hook.make_query(soql)["records"], record_time_added=True).columns.str.lower().to_list()',
        "hook.query_pandas(soql).assign(time_fetched_from_salesforce=time.time()).columns.str.lower().to_list()",
        soql=FLAT,
    ),
    Row(
        "write_object_to_file(query_results, filename)",
        'hook.write_object_to_file(query_results=hook.make_query(soql)["records"], filename=path)',
        "hook.query_pandas(soql).to_csv(path, index=False)",
        "line breaks in text stay; `3` is written as `3`, not as `3.0`",
        FLAT,
    ),
    Row(
        'write_object_to_file(fmt="json")',
        'hook.write_object_to_file(hook.make_query(soql)["records"], path, fmt="json")',
        'hook.query_pandas(soql).to_json(path, orient="records", date_format="iso")',
        soql=FLAT,
    ),
    Row(
        'write_object_to_file(fmt="ndjson")',
        'hook.write_object_to_file(hook.make_query(soql)["records"], path, fmt="ndjson")',
        'hook.query_pandas(soql).to_json(path, orient="records", lines=True, date_format="iso")',
        'or `hook.extract(soql=…, output_path=…, file_format="jsonl")` on any object store',
        FLAT,
    ),
    Row(
        "write_object_to_file(coerce_to_timestamp, record_time_added)",
        'hook.write_object_to_file(hook.make_query(soql)["records"], path, "csv", coerce_to_timestamp=True, '
        "record_time_added=True)",
        "hook.query_pandas(soql).assign(time_fetched_from_salesforce=time.time()).to_csv(path, index=False)",
        "as in the rows of `object_to_df`",
        FLAT,
    ),
    Row("test_connection()", "hook.test_connection()[0]", "hook.test_connection()[0]", "says who signed in where"),
]


def run(expression: str, hook: Any, soql: str, path: Path) -> Any:
    """What an expression comes to: its value, or the rows of the file that it wrote."""
    value = eval(expression, {"hook": hook, "soql": soql, "path": str(path), "time": time})
    return plain(_rows_of(path)) if path.exists() else plain(value)


def _rows_of(path: Path) -> Any:
    import pandas as pd

    text = path.read_text(encoding="utf-8")
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()] if text.startswith("{") else pd.read_csv(path)


def plain(value: Any) -> Any:
    """The value as both providers mean it: without bookkeeping, and without the names and types that differ."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        ours = {
            name: each for name, each in value.items() if name not in ("attributes", "time_fetched_from_salesforce")
        }
        return {name.lower(): _cell(name.lower(), each) for name, each in ours.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _cell(name: str, value: Any) -> Any:
    import pandas as pd

    if isinstance(value, dict):
        return plain(value)
    if value is None or value is pd.NaT or value != value or value is pd.NA:
        return None
    if name == "createddate":
        seconds = isinstance(value, int | float)
        return pd.to_datetime(value, utc=True, unit="s" if seconds else None).floor("s").isoformat()
    return float(value) if isinstance(value, int | float) else value
