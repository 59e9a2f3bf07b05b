"""CSV files, cut into pieces of whole records."""

from __future__ import annotations

import csv as python_csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.formats import csv
from airflow_provider_sfjwt.files.formats.input_file import InputFile, ReadOptions
from tests.files.bodies import salesforce_csv
from tests.files.formats.inputs import an_input, refusal
from tests.random_tests import examples

#: Python's own module, with which some of them are written here, takes U+0000 since 3.11.
_NUL = "\x00" if sys.version_info >= (3, 11) else ""
cells = st.text(alphabet=st.sampled_from('ab",;\t|\n\r\u2028\ufeffé🚀 ' + _NUL), max_size=10)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=20)
)


def by_python(names: list[str], rows: list[list[str]], end: str) -> bytes:
    out = io.StringIO(newline="")
    python_csv.writer(out, lineterminator=end).writerows([names, *rows])
    return out.getvalue().encode()


def by_pandas(names: list[str], rows: list[list[str]], end: str) -> bytes:
    text = pd.DataFrame(rows, columns=names).to_csv(index=False, lineterminator=end)
    return str(text).encode()


def by_arrow(names: list[str], rows: list[list[str]], end: str) -> bytes:
    out = pa.BufferOutputStream()
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(names))]
    pv.write_csv(pa.Table.from_arrays(columns, names=names), out, pv.WriteOptions(quoting_style="all_valid"))
    return bytes(out.getvalue())


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
        ('A,B\n1,"two\nlines"\n2,"open\n3,4\n', "row 2, column B, opens a quote that is never closed: '\"open'"),
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


@settings(deadline=None, max_examples=examples(60))
@given(
    tables,
    st.sampled_from([by_python, by_pandas, by_arrow]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([8, 2**20]),
)
def test_cells_come_back_or_are_faults_of_their_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    written_by: Callable[[list[str], list[list[str]], str], bytes],
    end: str,
    block_size: int,
) -> None:
    names = [f"c{place}" for place in range(len(rows[0]))]
    file = an_input(tmp_path_factory.mktemp("in"), written_by(names, rows, end), "in.csv")
    assert csv.columns(file) == tuple(names)
    found = list(csv.pieces(file, names, names, block_size=block_size))
    faults = {(fault.row, fault.column) for _, faults in found for fault in faults}
    read = [list(row.values()) for table, _ in found for row in table.to_pylist()]
    for number, row in enumerate(rows, 1):
        for name, cell, again in zip(names, row, read[number - 1], strict=True):
            assert again == (cell or None) or (number, name) in faults
            # Only a carriage return at the end of a line that is not quoted may be either.
            assert (number, name) not in faults or (name == names[-1] and cell.endswith("\r"))
    assert len(read) == len(rows)


def test_a_file_without_a_header_takes_the_delimiter_that_fits(tmp_path: Path) -> None:
    for text in ("1;2,5;x\n", "1|2,5|x;\n", '1\t"2\t5"\t,\n', "1,2,3\n"):
        file = an_input(tmp_path, text, "in.csv")
        file.options = ReadOptions(header=("A", "B", "C"))
        [(table, faults)] = csv.pieces(file, ["A"], ["A", "B", "C"])
        assert (table.to_pylist(), faults) == ([{"A": "1"}], [])


def test_a_file_without_a_header_takes_its_line_ends_from_all_lines(tmp_path: Path) -> None:
    [(_, faults)] = csv.pieces(_with_header(tmp_path, "1,x\r\n2,y\n"), ["A", "B"], ["A", "B"])
    assert [(fault.row, fault.column) for fault in faults] == [(1, "B")]
    assert "carriage return alone" in refusal(csv.pieces(_with_header(tmp_path, "1,x\r2,y\r"), ["A"], ["A", "B"]))


def _with_header(tmp_path: Path, text: str) -> InputFile:
    file = an_input(tmp_path, text, "in.csv")
    file.options = ReadOptions(header=("A", "B"))
    return file
