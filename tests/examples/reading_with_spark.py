"""How Spark reads data sets, and a job that does. Run with a Python that has pyspark and fsspec, and a Java.

``python -m tests.examples.reading_with_spark FORMAT=FOLDER…``: prints as JSON what a job makes of each data set.
"""

from __future__ import annotations

# [START spark]
import json
from typing import Any

import fsspec
from pyspark.sql import DataFrame, SparkSession

spark = SparkSession.builder.getOrCreate()

TYPES = {
    "bool": "boolean",
    "int64": "bigint",
    "float64": "double",
    "date32": "date",
    "timestamp[ms, tz=UTC]": "timestamp",
    "string": "string",
}
#: In CSV and JSON lines, whole numbers may end in .0, and a time of day is text.
TEXT_TYPES = {**TYPES, "int64": "decimal(19, 0)", "time32[ms]": "string"}


def receipt_of(folder: str, **storage: Any) -> dict[str, Any]:
    with fsspec.open(f"{folder}/_receipt.json", mode="rt", encoding="utf-8", **storage) as file:
        return json.load(file)


def parts_of(folder: str) -> list[str]:
    return [f"{folder}/{part['name']}" for part in receipt_of(folder)["parts"]]


def schema_of(folder: str, types: dict[str, str]) -> str:
    columns = {column["name"]: column["arrow_type"] for column in receipt_of(folder)["columns"]}
    known = {name: types.get(kind) or kind.replace("decimal128", "decimal") for name, kind in columns.items()}
    # Spark has no type for what a Parquet column of times holds: such a column is left out.
    return ", ".join(f"`{name}` {kind}" for name, kind in known.items() if kind != "time32[ms]")


def parquet(folder: str) -> DataFrame:
    return spark.read.schema(schema_of(folder, TYPES)).parquet(*parts_of(folder))


def json_lines(folder: str) -> DataFrame:
    return spark.read.json(parts_of(folder), schema=schema_of(folder, TEXT_TYPES), mode="FAILFAST")


def csv(folder: str) -> DataFrame:
    options = {"header": True, "multiLine": True, "escape": '"', "mode": "FAILFAST"}
    return spark.read.csv(parts_of(folder), schema=schema_of(folder, TEXT_TYPES), **options)


# [END spark]


def job(folder: str, file_format: str) -> dict[str, Any]:
    """Count, sum and collect. :param folder: of the data set. :param file_format: of its parts."""
    frame = {"parquet": parquet, "csv": csv, "jsonl": json_lines}[file_format](folder)
    frame.createOrReplaceTempView("accounts")
    revenue = "sum(CAST(AnnualRevenue AS DECIMAL(38, 4)))"  # a sum of decimal(38, 18) ends at 1e20
    sums = f"SELECT count(*), count(DISTINCT Id), {revenue}, sum(NumberOfEmployees) FROM accounts"
    rows = "SELECT Id, Name, Description, AnnualRevenue, `Owner.Name`, SystemModstamp FROM accounts ORDER BY Id"
    return {
        "sums": [str(value) for value in spark.sql(sums).collect()[0]],
        "rows": [[_shown(value) for value in row] for row in spark.sql(rows).collect()],
    }


def _shown(value: Any) -> str | None:
    """A value as text; a decimal with all its digits."""
    from decimal import Decimal

    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


if __name__ == "__main__":
    import sys

    spark.conf.set("spark.sql.session.timeZone", "UTC")
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    print(json.dumps({file_format: job(folder, file_format) for file_format, folder in given.items()}))
