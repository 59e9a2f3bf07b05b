"""CSV files, cut into pieces of whole records."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt.files.formats import csv
from tests.files.bodies import salesforce_csv
from tests.files.formats.inputs import an_input, refusal


def test_records_are_never_cut_at_any_block_size(tmp_path: Path) -> None:
    rows = [[str(row), 'x\n,"y"' * (row % 7)] for row in range(500)]
    file = an_input(tmp_path, salesforce_csv([["Id", "Text"], *rows]), "in.csv")
    columns = csv.columns(file)
    assert columns == ("Id", "Text")
    tables = [table for table, _ in csv.pieces(file, columns, columns, block_size=97)]
    assert len(tables) > 50
    assert [[row["Id"], row["Text"] or ""] for table in tables for row in table.to_pylist()] == rows


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(tmp_path: Path) -> None:
    file = an_input(tmp_path, 'A,B\n1,"open\n' + "2,3\n" * 5000 + '4,"x"\n', "in.csv")
    pieces = csv.pieces(file, ["A", "B"], ["A", "B"], block_size=1000, longest_record=5000)
    assert "never closed" in refusal(pieces)


@pytest.mark.parametrize("block_size", [9, 2**20])
@pytest.mark.parametrize(
    ("data", "place"),
    [
        ('A,B\n1,"two\nlines"\n2,"open\n3,4\n', "row 2 opens a quote that is never closed: '\"open'"),
        ('A,"B\n1,2\n', "its header opens a quote that is never closed"),
    ],
)
def test_a_quote_that_is_never_closed_is_reported_where_it_is_opened(
    tmp_path: Path, block_size: int, data: str, place: str
) -> None:
    file = an_input(tmp_path, data, "in.csv")
    assert place in refusal(csv.pieces(file, ["A", "B"], ["A", "B"], block_size=block_size))


def test_only_the_mark_at_the_start_of_a_file_is_removed(tmp_path: Path) -> None:
    rows = ["\ufeffa", "\ufeffb", "c", "\ufeff"]
    file = an_input(tmp_path, "\ufeffA,B\n" + "".join(f"{each},1\n" for each in rows), "in.csv")
    assert csv.columns(file) == ("A", "B")
    tables = [table for table, _ in csv.pieces(file, ["A"], ["A", "B"], block_size=8)]
    assert [cell for table in tables for cell in table.column("A").to_pylist()] == rows
