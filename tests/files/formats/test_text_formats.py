"""Text survives every format as Salesforce sent it."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.compat.csv_text import csv_rows
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.values.columns import Column
from tests.files.bodies import ChunkedBody, salesforce_csv
from tests.random_tests import examples

COLUMNS = (Column("Id", "id"), Column("Name", "string"), Column("Text__c", "textarea"))
AWKWARD = [
    "NA", "null", "NULL", "nan", "#N/A", "None", "-", "0", "1.0E10", "true", " leading", "trailing ", "\t", "a\nb", "a\r\nb",
    '"', '""', '"\n"', ',"\n', "a,b", "a\x00b", "\u2028", "naïve Ωμέγα 東京 😀", "\\n", "'", "=1+1", "x" * 131_072,
]  # fmt: skip


def read_back(file_format: str, texts: list[str]) -> list[str | None]:
    rows = [[str(number), text, "z"] for number, text in enumerate(texts)]
    page = salesforce_csv([[column.name for column in COLUMNS], *rows])
    chosen = OutputFormat(file_format)
    with tempfile.TemporaryDirectory() as folder:
        target = ObjectStoragePath(f"file://{folder}") / f"part.{chosen.extension}"
        assert chosen.write_page(target, ChunkedBody(page, 97), COLUMNS).records == len(texts)
        path = Path(folder) / target.name
        if file_format == "parquet":
            return pq.read_table(path)["Name"].to_pylist()
        content = path.read_bytes().decode("utf-8")
    if file_format == "jsonl":
        return [json.loads(line)["Name"] for line in content.removesuffix("\n").split("\n")]
    csv.field_size_limit(2**31 - 1)
    names, *records = csv_rows(content)
    return [record[names.index("Name")] or None for record in records]


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])
def test_awkward_text_survives(file_format: str) -> None:
    assert read_back(file_format, AWKWARD) == AWKWARD


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])
@settings(deadline=None, max_examples=examples(40))
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=30))
def test_any_text_survives(file_format: str, texts: list[str]) -> None:
    assert read_back(file_format, texts) == [text or None for text in texts]
