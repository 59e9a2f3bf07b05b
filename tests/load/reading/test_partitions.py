"""Columns in the paths of files."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.load.reading.partitions import partitions_of


@pytest.mark.parametrize(
    ("path", "pattern", "columns"),
    [
        ("s3://c@b/t/country=DE/day=1/x.csv", "s3://c@b/t/*/*/*.csv", {"country": "DE", "day": "1"}),
        ("s3://b/t/country=DE/x.csv", "s3://b/t/country=*/x.csv", {"country": "DE"}),
        ("/t/ds=1/country=DE/x.csv", "/t/ds=1/country=??/x.csv", {"country": "DE"}),
        ("/t/ds=1/x.csv", "/t/ds=1/*.csv", {}),
        ("/t/a%20b=x%2Fy%3D/x.csv", "/t/**/*.csv", {"a b": "x/y="}),
        ("/t/a=__HIVE_DEFAULT_PARTITION__/b=/x.csv", "/t/*/*/*.csv", {"a": None, "b": ""}),
        ("/t/a=b=c/=d/x=1.csv", "/t/*/*/*.csv", {"a": "b=c"}),
    ],
)
def test_folders_that_a_wildcard_finds_are_columns(path: str, pattern: str, columns: dict[str, str | None]) -> None:
    assert partitions_of(path, pattern) == columns
