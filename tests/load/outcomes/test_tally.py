from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ErrorItem
from airflow_provider_sfjwt.load.outcomes.part_outcome import Accepted, PartOutcome
from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder
from airflow_provider_sfjwt.load.outcomes.tally import Tally
from airflow_provider_sfjwt.load.reading.source import LoadSource
from airflow_provider_sfjwt.load.staging.parts import BLOCK
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.load.staging.staging import Staging
from tests.load.staging.rows import as_text

ROWS = [[f"row {place}", "a\nb" if place % 4 else None, str(place % 3)] for place in range(90)]
#: Rows in each file. One of them has none.
FILES = {'a, "first".csv': 41, "b.csv": 0, "c.csv": 49}


@contextmanager
def staged(folder: Path, group_by: str | None, block: int) -> Iterator[StagedLoad]:
    rows = iter(ROWS)
    for name, count in FILES.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["A", "B", "C"], *(next(rows) for _ in range(count))])
    source = LoadSource([str(folder / name) for name in FILES])
    with Staging(source.columns, part_bytes=600, group_by=group_by, block=block) as staging:
        for piece in source.pieces():
            staging.add(as_text(piece), piece.first_position)
        yield StagedLoad(source, (), tuple(staging.parts()), staging.folder)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def origin(position: int, folder: Path) -> dict[str, str]:
    first = FILES['a, "first".csv']
    name, row = ('a, "first".csv', position) if position < first else ("c.csv", position - first)
    return {"position": str(position + 1), "file": str(folder / name), "row": str(row + 1)}


@pytest.mark.parametrize("group_by", [None, "C"])
@pytest.mark.parametrize("block", [60, BLOCK])
def test_every_row_is_in_one_file_with_its_place_and_its_outcome(
    tmp_path: Path, group_by: str | None, block: int
) -> None:
    chance, expected = random.Random(7), {}
    with staged(tmp_path, group_by, block) as load:
        results = ResultsFolder(f"{tmp_path}/results")
        results.prepare()
        tally = Tally(load, results, errors_at_once=4)
        assert len(load.parts) > 2
        for part in load.parts:
            outcome, positions = PartOutcome(part.rows), part.positions().to_pylist()
            for row in chance.sample(range(part.rows), part.rows):
                position = positions[row]
                sent = dict(zip("ABC", (cell or "" for cell in ROWS[position]), strict=True))
                told: dict[str, str] = {}
                kind = chance.choice(["succeeded", "succeeded", "failed", "unprocessed"])
                if kind == "succeeded":
                    outcome.take_record(row, Accepted(f"id {position}", created=position % 2 == 0))
                    told = {"sf__Id": f"id {position}", "sf__Created": str(position % 2 == 0).lower()}
                elif kind == "failed":
                    outcome.take_error(row, ErrorItem(f"CODE_{position % 2}", f'"no",\n{position}', ("A", "B")))
                    told = {
                        "error_code": f"CODE_{position % 2}",
                        "error_message": f'"no",\n{position}',
                        "error_fields": "A B",
                    }
                expected[position] = (kind, {**origin(position, tmp_path), **told, **sent})
            tally.add(part, outcome, [])
    found: dict[int, tuple[str, dict[str, str]]] = {}
    for file in tally.files:
        rows = read(tmp_path / "results" / file.name)
        assert len(rows) == file.records
        for row in rows:
            assert int(row["position"]) - 1 not in found
            found[int(row["position"]) - 1] = (file.name.partition("-")[0], row)
    assert found == expected
    failed = [position for position, (kind, _) in expected.items() if kind == "failed"]
    assert tally.counts["failed"] == len(failed)
    assert tally.not_loaded == tally.counts["failed"] + tally.counts["unprocessed"]
    assert {code: each["count"] for code, each in tally.errors.items()} == {
        f"CODE_{odd}": sum(position % 2 == odd for position in failed) for odd in (0, 1)
    }
    for code, each in tally.errors.items():
        sample = each["sample"]
        position = int(sample["message"].rpartition("\n")[2])
        assert (f"CODE_{position % 2}", sample["fields"]) == (code, ["A", "B"])
        assert {"file": sample["file"], "row": str(sample["row"])}.items() <= origin(position, tmp_path).items()


def test_further_codes_are_counted_together(tmp_path: Path) -> None:
    rows = [{"A": str(place)} for place in range(130)]
    with Staging(["A"]) as staging:
        source = LoadSource(rows)
        for piece in source.pieces():
            staging.add(as_text(piece), piece.first_position)
        load = StagedLoad(source, (), tuple(staging.parts()), staging.folder)
        tally, outcome = Tally(load, None), PartOutcome(130)
        for row in range(130):
            outcome.take_error(row, ErrorItem(f"CODE_{row % 120}", str(row)))
        tally.add(load.parts[0], outcome, [])
    counts: dict[str, Any] = {code: each["count"] for code, each in tally.errors.items()}
    assert counts == {**{f"CODE_{code}": 2 if code < 10 else 1 for code in range(100)}, "others": 20}
    assert tally.errors["others"]["sample"] == {"file": "rows", "row": 101, "message": "100", "fields": []}
    assert tally.files == []


def test_what_all_rows_of_a_job_became_needs_no_reading(tmp_path: Path) -> None:
    with Staging(["A"]) as staging:
        staging.add(pa.table({"A": ["x"]}), 0)
        (part,) = staging.parts()
        part.path.unlink()
        tally, outcome = Tally(StagedLoad(LoadSource([]), (), (part,), tmp_path), None), PartOutcome(1)
        outcome.accept_all()
        tally.add(part, outcome, [])
    assert (tally.counts["succeeded"], tally.not_loaded) == (1, 0)
