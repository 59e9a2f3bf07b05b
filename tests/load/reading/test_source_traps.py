"""Sources that look harmless: links, upper-case endings, values that are none, and what is not sent."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pendulum
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.load.reading.source import LoadSource
from airflow_provider_sfjwt.load.reading.source_argument import fault_of_source
from tests.load.reading.sources import faults, read, refusal, write

UTC, CET = timezone.utc, timezone(timedelta(hours=1))
NAIVE = datetime(2026, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)
INF = float("inf")


def things(folder: Path, name: str, key: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"Key\n{key}\n")
    return folder / name


def keys(source: Any) -> list[str]:
    return [row["Key"] for row in read(source)]


def test_a_glob_follows_links_to_files_and_folders(tmp_path: Path) -> None:
    things(tmp_path / "in", "a.csv", "a")
    (tmp_path / "in" / "b.csv").symlink_to(things(tmp_path / "other", "b.csv", "b"))
    (tmp_path / "in" / "c.csv").symlink_to(tmp_path / "other", target_is_directory=True)
    assert keys(f"file://{tmp_path}/in/*.csv") == ["a", "b"]
    assert keys(f"{tmp_path}/in/b.csv") == ["b"]
    assert keys(f"{tmp_path}/in/c.csv/*.csv") == ["b"]
    things(tmp_path / "in" / "plain", "d.csv", "d")
    (tmp_path / "in" / "c.csv").unlink()
    (tmp_path / "in" / "b.csv").unlink()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "in" / "back").symlink_to(tmp_path / "in", target_is_directory=True)
    assert keys(f"{tmp_path}/in/*/*.csv") == ["b", "d"]
    assert keys(f"{tmp_path}/in/**/*.csv") == ["a", "b", "d"]


def test_a_link_to_nothing_and_a_file_under_two_names_are_refused(tmp_path: Path) -> None:
    target = things(tmp_path, "a.csv", "a")
    link = tmp_path / "b.csv"
    link.symlink_to(tmp_path / "gone.csv")
    assert f"{link}: it is a link to a file that does not exist" in refusal(f"file://{tmp_path}/*.csv")
    link.unlink()
    link.symlink_to(target)
    assert f"b.csv: it is the same file as file://{target}" in refusal(f"file://{tmp_path}/*.csv")
    assert "it is the same file" in refusal([f"file://{target}", str(link)])


def test_endings_are_read_in_any_case(tmp_path: Path) -> None:
    assert keys(write(tmp_path, gzip.compress(b"Key\na\n"), "A.CSV.GZ")) == ["a"]
    assert keys(write(tmp_path, gzip.compress(b'{"Key": "a"}\n'), "a.jsonl.GZ")) == ["a"]


def test_a_pattern_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    assert "**.csv: it is not a pattern" in refusal(f"file://{tmp_path}/**.csv")


def test_paths_may_be_objects(tmp_path: Path) -> None:
    path = things(tmp_path, "a.csv", "a")
    for source in (path, [path], ObjectStoragePath(f"file://{path}"), tmp_path / "*.csv"):
        assert keys(source) == ["a"]


def test_anything_else_is_refused_with_what_to_give() -> None:
    frame = pd.DataFrame({"A": [1]})
    for source in (frame, ({"A": n} for n in range(2)), {"s3://b/a.csv"}, 7, b"s3://b/a.csv", [frame], pa.table({})):
        told = refusal(source)
        assert "takes paths" in told
        assert "df.to_dict('records')" in told
    for source in ("data/a.csv", ["s3://b/a.csv", "a.csv"], Path("a.csv"), {"receipt": "out/_receipt.json"}):
        assert "neither a URL nor an absolute path" in refusal(source)
    for source in ("", "None", " ", None, [None]):
        assert "is missing" in refusal(source)
    for right in ("/a.csv", "s3://conn@b/a.csv", ["/a.csv", Path("/b.csv")], [], [{"A": 1}], {"receipt": "/r.json"}):
        assert fault_of_source(right) is None


@pytest.mark.parametrize("value", [float("nan"), INF, -INF, Decimal("NaN"), Decimal("Infinity"), pd.NaT, pd.NA])
@pytest.mark.parametrize("other", ["text", 1.5, None])
def test_what_stands_for_a_missing_value_is_told_by_row(value: Any, other: Any) -> None:
    (fault,) = faults([{"A": other}, {"A": value}])
    assert (fault.file, fault.row, fault.column) == ("rows", 2, "A")
    assert f"holds {value}" in fault.message
    assert "df.astype(object).where(df.notna(), None)" in fault.message


def test_the_advice_for_missing_values_is_right() -> None:
    frame = pd.DataFrame(
        {"A": ["x", float("nan")], "B": [1.5, None], "C": pd.to_datetime(["2026-01-01T00:00:00Z", None])}
    )
    assert len(faults(frame.to_dict("records"))) == 3
    assert read(frame.astype(object).where(frame.notna(), None).to_dict("records"))[1] == {
        "A": None,
        "B": None,
        "C": None,
    }


def test_json_constants_are_no_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, '{"A": 1}\n{"A": NaN}\n{"A": -Infinity}\n{"A": "NaN"}\n', "in.jsonl")
    assert [(fault.row, fault.message[:10]) for fault in faults(path)] == [(2, "holds nan,"), (3, "holds -inf")]


def test_numbers_out_of_all_range_are_told_and_take_no_memory(tmp_path: Path) -> None:
    lines = '{"A": 1e9999999}\n{"A": 1e-999999999}\n{"A": 1e99999999999999999999}\n{"A": 0e999999}\n{"A": 1e300}\n'
    path = write(tmp_path, lines, "in.jsonl")
    assert [fault.row for fault in faults(path)] == [1, 2, 3]
    assert [fault.row for fault in faults([{"A": Decimal("1E+9999999")}, {"A": Decimal("0E+9999")}])] == [1]


@pytest.mark.parametrize(
    "naive", [NAIVE, pd.Timestamp("2026-01-01 12:00"), pendulum.naive(2026, 1, 1, 12)], ids=["datetime", "pandas", "pendulum"]
)  # fmt: skip
@pytest.mark.parametrize("other", [NAIVE.replace(tzinfo=UTC), date(2026, 1, 1), "2026-01-01T00:00:00Z", None])
def test_a_datetime_without_a_zone_is_told_by_row_whatever_stands_beside_it(naive: Any, other: Any) -> None:
    (fault,) = faults([{"A": other}, {"A": naive}, {"A": other}])
    assert (fault.row, fault.column) == (2, "A")
    assert "without a time zone" in fault.message


def test_moments_and_times_are_written_in_utc_in_any_company() -> None:
    berlin = datetime(2026, 7, 1, 12, 0, 0, 123_999, tzinfo=ZoneInfo("Europe/Berlin"))
    values = [
        berlin,
        pd.Timestamp("2026-07-01 12:00", tz="Europe/Berlin"),
        time(12, 30),
        time(0, 30, 0, 4567, tzinfo=CET),
        time(23, 30, tzinfo=timezone(-timedelta(hours=1))),
        date(2026, 7, 1),
        "as it is",
    ]
    assert [row["A"] for row in read([{"A": value} for value in values])] == [
        "2026-07-01T10:00:00.123Z",
        "2026-07-01T10:00:00.000Z",
        "12:30:00.000Z",
        "23:30:00.004Z",
        "00:30:00.000Z",
        "2026-07-01",
        "as it is",
    ]
    (unknown, outside) = faults(
        [{"A": time(1, tzinfo=ZoneInfo("Europe/Berlin"))}, {"A": datetime.min.replace(tzinfo=CET)}]
    )
    assert "depends on the day" in unknown.message
    assert "outside the years" in outside.message


@pytest.mark.parametrize("kind", ["rows", "jsonl", "csv", "parquet"])
def test_what_is_not_sent_is_not_judged(tmp_path: Path, kind: str) -> None:
    rows = [{"Left": {"type": "Account"}, "A": "1", "B": "x"}, {"Left": {"type": "\ud83d"}, "A": "2", "B": "y"}]
    source: Any = rows
    if kind == "jsonl":
        source = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "in.jsonl")
    elif kind == "csv":
        source = write(tmp_path, b"Left,A,B\n" + b"x" * 131_073 + b",1,x\n\xe9,2,y\n")
    elif kind == "parquet":
        pq.write_table(pa.table({"Left": [[1], [2]], "A": ["1", "2"], "B": ["x", "y"]}), tmp_path / "in.parquet")
        source = f"{tmp_path}/in.parquet"
    loaded = LoadSource(source)
    left = "Left.type" if kind in ("rows", "jsonl") else "Left"
    assert loaded.columns == (left, "A", "B")
    (piece,) = loaded.pieces(["B", "A"])
    assert piece.faults == ()
    assert piece.table.to_pylist() == [{"B": "x", "A": "1"}, {"B": "y", "A": "2"}]
    if kind != "parquet":
        assert {fault.column for fault in faults(source)} == {"Left.type" if kind in ("rows", "jsonl") else "Left"}


def test_a_bad_cell_beside_one_that_is_not_sent_keeps_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, b"Left,A\n\xe9,1\n\xe9,\xe9\n3\n")
    (piece,) = LoadSource(path).pieces(["A"])
    assert [(fault.row, fault.column) for fault in piece.faults] == [(2, "A"), (3, None)]
    assert piece.table.to_pylist() == [{"A": "1"}, {"A": None}, {"A": None}]


def test_parquet_reads_no_column_that_is_not_wanted(tmp_path: Path) -> None:
    table = pa.table({"Owner": ["o"], "Owner.Email": ["e"], "Other": ["x"]})
    pq.write_table(table, tmp_path / "in.parquet")
    (piece,) = LoadSource(f"{tmp_path}/in.parquet").pieces(["Owner"])
    assert piece.table.to_pylist() == [{"Owner": "o"}]
    (piece,) = LoadSource(f"{tmp_path}/in.parquet").pieces(["Owner.Email"])
    assert piece.table.to_pylist() == [{"Owner.Email": "e"}]


def test_a_key_that_is_twice_in_an_object_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, '{"A": 1, "B": 2}\n{"A": 1, "B": 2, "A": 3}\n{"C": {"x": 1, "x": 2}, "B": 3}\n', "in.jsonl")
    assert faults(path) == [
        Fault(path, 2, "A", "appears more than once"),
        Fault(path, 3, "C.x", "appears more than once"),
    ]
    assert [piece.faults for piece in LoadSource(path).pieces(["B"])] == [()]


def test_rows_without_any_column_are_no_load_of_nothing(tmp_path: Path) -> None:
    assert "rows: they are empty" in refusal([{}, {}])
    assert "it is empty" in refusal(write(tmp_path, "{}\n", "in.jsonl"))
    # As a line of commas in CSV: a row that has no value.
    assert read([{}, {"A": 1}]) == read(write(tmp_path, "{}\n" + '{"A": 1}\n', "b.jsonl")) == [{"A": None}, {"A": "1"}]
    assert read(write(tmp_path, "A,B\n,\n")) == [{"A": None, "B": None}]


def test_half_a_character_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, '{"A": "x"}\n{"A": "a\\ud83d"}\n{"A": "\\ud83d\\ude00"}\n', "in.jsonl")
    message = "character 2 is '\\ud83d', half of a character (encoding); the other half is missing"
    assert faults(path) == [Fault(path, 2, "A", message)]
    assert faults([{"A": "a\ud83d"}]) == [Fault("rows", 1, "A", message)]
