"""How Spark comes to the current state of an object. Run with a Python that has pyspark and fsspec, and a Java.

``python -m tests.sync.spark_state FOLDER``: prints the names by the ids of the rows as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import fsspec
from pyspark.sql import SparkSession, functions
from pyspark.sql.window import Window

spark = SparkSession.builder.getOrCreate()
folder = sys.argv[1]


# [START spark]
def read(path: str) -> dict[str, Any]:
    with fsspec.open(path, mode="rt", encoding="utf-8") as file:
        return json.load(file)


def chain() -> Iterator[tuple[str, dict[str, Any]]]:
    place = read(f"{folder}/_state.json")  # folder: s3a://bucket/salesforce/Account
    while place:
        receipt = read(f"{folder}/{place['receipt']}")
        yield f"{folder}/{place['receipt'].rpartition('/')[0]}", receipt
        place = receipt["previous"] if receipt["kind"] != "full" else None


rows = gone = formulas = None
for path, receipt in chain():
    n = functions.lit(receipt["sequence"])
    part = spark.read.parquet(*(f"{path}/{each['name']}" for each in receipt["parts"])).withColumn("n", n)
    if receipt["kind"] == "formulas":  # new values of formula fields change these columns of rows that are there
        formulas = part if formulas is None else formulas.unionByName(part, allowMissingColumns=True)
        continue
    rows = part if rows is None else rows.unionByName(part, allowMissingColumns=True)
    if lists := [f"{path}/{each['name']}" for each in (receipt["deletes"] or {}).get("parts", ())]:
        listed = spark.read.parquet(*lists).toDF("GoneId", "DeletedDate").withColumn("m", n)
        gone = listed if gone is None else gone.unionByName(listed)
newest = functions.row_number().over(Window.partitionBy("Id").orderBy(functions.col("n").desc()))
state = rows.withColumn("place", newest).where("place = 1 AND NOT IsDeleted")
if gone is not None:
    void = (state.Id == gone.GoneId) & (gone.m > state.n) & (state.SystemModstamp <= gone.DeletedDate)
    state = state.join(gone, void, "left_anti")
if formulas is not None:
    latest = formulas.withColumn("place", newest).where("place = 1")
    names = [name for name in latest.columns if name not in ("Id", "n", "place")]
    values = latest.select("Id", latest.n.alias("f"), *(latest[each].alias(f"new_{each}") for each in names))
    state = state.join(values, "Id", "left")
    for each in names:
        value = functions.when(state.f > state.n, state[f"new_{each}"]).otherwise(state[each])
        state = state.withColumn(each, value)
# [END spark]

print(json.dumps({row["Id"]: row["Name"] for row in state.select("Id", "Name").collect()}))
