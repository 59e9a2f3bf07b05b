from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.load.staging.grouping import between_groups
from airflow_provider_sfjwt.load.staging.parts import BLOCK, JobFile, bytes_of
from airflow_provider_sfjwt.load.staging.staging import Staging
from tests.random_tests import examples

cells = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10) | st.sampled_from(
    ["#N/A", "NA", "null", " x ", '"', '""', ",", "\n", "\r\n", "\r", "🚀", "'", "\x00"]
)  # fmt: skip
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=40)
)


def table_of(rows: Sequence[Sequence[str | None]]) -> pa.Table:
    width = len(rows[0])
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(width)]
    return pa.Table.from_arrays(columns, names=[f"F{place}__c" for place in range(width)])


def stage(staging: Staging, table: pa.Table, piece: int) -> list[JobFile]:
    for start in range(0, table.num_rows, piece):
        staging.add(table.slice(start, piece), start)
    return staging.parts()


def rows_of(part: JobFile) -> pa.Table:
    return pa.concat_tables(part.pieces())


def by_python(part: JobFile) -> list[list[str]]:
    with part.path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@settings(max_examples=examples(60), deadline=None)
@given(tables, st.integers(1, 10), st.integers(30, 400))
def test_every_row_is_in_one_part_as_it_was(rows: list[list[str | None]], piece: int, part_bytes: int) -> None:
    table = table_of(rows)
    with Staging(table.column_names, part_bytes=part_bytes) as staging:
        parts = stage(staging, table, piece)
        assert [part.number for part in parts] == list(range(len(parts)))
        assert [row for part in parts for row in rows_of(part).to_pylist()] == table.to_pylist()
        assert [each for part in parts for each in part.positions().to_pylist()] == list(range(len(rows)))
        for part in parts:
            data = part.path.read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (part.bytes, part.sha256)
            assert part.rows == rows_of(part).num_rows
            assert part.bytes <= part_bytes or part.rows == 1
            assert data.endswith(b"\n")
        # What any other reader of CSV makes of it is the same.
        if not any("\x00" in (cell or "") for row in rows for cell in row):
            assert [row for part in parts for row in by_python(part)] == [[cell or "" for cell in row] for row in rows]


@settings(max_examples=examples(60), deadline=None)
@given(tables, st.integers(10, 400))
def test_a_part_can_be_gone_through_piece_by_piece(rows: list[list[str | None]], piece: int) -> None:
    table = table_of(rows)
    with Staging(table.column_names, block=piece) as staging:
        (part,) = stage(staging, table, len(rows))
        assert part.columns == tuple(table.column_names)
        assert pa.concat_tables(part.pieces()).to_pylist() == table.to_pylist()
        last = table.column_names[-1]
        assert [cell for each in part.pieces([last]) for cell in each.column(last).to_pylist()] == [
            row[-1] for row in rows
        ]
        records = [record for each in part.records() for record in each.to_pylist()]
        assert len(records) == len(rows)
        assert "".join(records).encode() == part.path.read_bytes()[len(",".join(table.column_names)) + 1 :]
        assert all(record.count('"') % 2 == 0 and record.endswith("\n") for record in records)


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "ü", None]), min_size=1, max_size=60), st.integers(1, 20))
def test_groups_stand_together_and_nothing_is_lost(keys: list[str | None], piece: int) -> None:
    rows = [[str(place), key] for place, key in enumerate(keys)]
    table = table_of(rows)
    with Staging(table.column_names, part_bytes=700, group_by="F1__c") as staging:
        parts = stage(staging, table, piece)
        staged = [list(row.values()) for part in parts for row in rows_of(part).to_pylist()]
        assert sorted(staged, key=lambda row: int(row[0])) == rows
        assert [each for part in parts for each in part.positions().to_pylist()] == [int(row[0]) for row in staged]
        assert len({tuple(staged[i][1:]) for i in range(len(staged))}) == 1 + sum(
            before[1] != after[1] for before, after in pairwise(staged)
        )


def test_a_group_that_fits_is_never_cut() -> None:
    rows = [[f"{place:06d}", f"parent {place * 7919 % 400:03d}"] for place in range(8_000)]
    table = table_of(rows)
    with Staging(table.column_names, part_bytes=2_000, group_by="F1__c") as staging:
        parts = stage(staging, table, 100)
        keys = [key for part in parts for key in set(rows_of(part).column("F1__c").to_pylist())]
        assert (len(keys), len(set(keys))) == (400, 400)
        assert max(part.bytes for part in parts) <= 2_000
        assert [path for path in staging.folder.iterdir() if path.name.startswith("group")] == []


@pytest.mark.parametrize("block", [125, BLOCK])
def test_one_group_larger_than_a_part_is_cut(block: int) -> None:
    table = table_of([[f"{place:06d}", "one"] for place in range(1_000)])
    with Staging(table.column_names, part_bytes=1_500, group_by="F1__c", block=block) as staging:
        parts = stage(staging, table, 100)
        assert len(parts) > 10
        assert [each for part in parts for each in part.positions().to_pylist()] == list(range(1_000))


@pytest.mark.parametrize(
    ("keys", "cut"),
    [("aaabbbbb", 3), ("aaaaabbb", 5), ("abbbbbbb", 1), ("aabbccddd", 4), ("aaaa", 2), ([None, None, "a", "a"], 2)],
)
def test_rows_are_cut_between_groups(keys: Sequence[str | None], cut: int) -> None:
    assert between_groups(table_of([["x", key] for key in keys]), 1) == cut


@pytest.mark.parametrize("group_by", [None, "F1__c"])
def test_the_same_rows_make_the_same_parts(group_by: str | None) -> None:
    table = table_of([[str(place), str(place % 17)] for place in range(5_000)])
    hashes = []
    for _ in range(2):
        with Staging(table.column_names, part_bytes=5_000, group_by=group_by) as staging:
            hashes.append([part.sha256 for part in stage(staging, table, 700)])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == len(hashes[0])


def test_a_part_has_only_so_many_rows() -> None:
    with Staging(["F0__c"], most_rows=30) as staging:
        staged = stage(staging, table_of([["x"]] * 100), 100)
        assert max(part.rows for part in staged) <= 30
        assert sum(part.rows for part in staged) == 100


def test_no_rows_make_no_part() -> None:
    with Staging(["A"]) as staging:
        staging.add(pa.table({"A": pa.array([], pa.string())}), 0)
        assert staging.parts() == []


@pytest.mark.parametrize("piece", [1, 25, 10_000])
def test_some_rows_become_a_part_of_their_own(piece: int) -> None:
    table = table_of([[str(place), None if place % 3 else "a\nb"] for place in range(10)])
    with Staging(table.column_names, block=piece) as staging:
        (part,) = stage(staging, table, 3)
        before = part.path.read_bytes()
        rest = part.subset([2, 3, 7], staging.folder, part.number)
        assert rows_of(rest).equals(table.take(pa.array([2, 3, 7])))
        assert rest.positions().to_pylist() == [2, 3, 7]
        data = rest.path.read_bytes()
        assert (rest.rows, rest.bytes, rest.sha256) == (3, len(data), hashlib.sha256(data).hexdigest())
        again = rest.subset([1], staging.folder, 5)
        assert (again.number, again.rows, again.positions().to_pylist()) == (5, 1, [3])
        assert part.subset(range(10), staging.folder, 6).sha256 == part.sha256
        assert part.path.read_bytes() == before


def test_the_bytes_of_texts_are_those_of_the_slice() -> None:
    texts = pa.array(["a", "ü", "", "cd"])
    assert bytes(bytes_of(texts)) == "aücd".encode()
    assert bytes(bytes_of(texts.slice(1, 2))) == "ü".encode()
    assert bytes(bytes_of(texts.slice(2, 1))) == b""


def test_nothing_stays_on_the_disk() -> None:
    folder = Path()
    with pytest.raises(KeyError), Staging(["F0__c"], part_bytes=100, group_by="F0__c") as staging:
        folder = staging.folder
        stage(staging, table_of([["x" * 30]] * 50), 10)
        assert len(list(folder.iterdir())) > 10
        raise KeyError("anything")
    assert not folder.exists()
    with pytest.raises(RuntimeError), Staging(["A"]) as staging:
        raise RuntimeError
    assert not staging.folder.exists()


@pytest.mark.parametrize("part_bytes", [0, 100_000_001])
def test_a_part_must_fit_into_a_job(part_bytes: int) -> None:
    with pytest.raises(ConfigurationError, match="part_bytes"):
        Staging(["A"], part_bytes=part_bytes)
