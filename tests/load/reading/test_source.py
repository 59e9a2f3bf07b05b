from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.data_sets.receipt import Counts, Receipt, column_entry
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.load.reading.source import LoadSource
from tests.files.bodies import ChunkedBody, salesforce_csv
from tests.load.reading.sources import faults, read, refusal, write

NOT_UTF8 = "byte 0xE9 is not UTF-8. Give its encoding, e.g. encoding='cp1252', or save it as UTF-8"
cells = st.text(alphabet=st.sampled_from('ab",;\n\ré🚀 #N/A'), max_size=12)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=30)
)


@settings(deadline=None)
@given(tables, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_csv_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    end: str,
    quote_all: bool,
    bom: bool,
) -> None:
    names = [f"c{place}" for place in range(len(rows[0]))]
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    # A carriage return before the line feed that ends a line is ambiguous unless the cell is quoted.
    safe = rows if quote_all else [[*row[:-1], row[-1].rstrip("\r")] for row in rows]
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([names, *safe])
    path = write(tmp_path_factory.mktemp("in"), (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode())
    assert read(path) == [dict(zip(names, (cell or None for cell in row), strict=True)) for row in safe]


def test_pieces_know_where_their_rows_are(tmp_path: Path) -> None:
    first = write(tmp_path, "".join(f'{{"Key": "{row}"}}\n' for row in range(12_000)), "a.jsonl")
    second = write(tmp_path, '{"Key": "x"}\n', "b.jsonl")
    source = LoadSource([first, second])
    pieces = list(source.pieces())
    assert [(piece.file, piece.first_row, piece.first_position) for piece in pieces] == [
        (first, 1, 0),
        (first, 5_001, 5_000),
        (first, 10_001, 10_000),
        (second, 1, 12_000),
    ]


def test_the_last_record_needs_no_line_end_and_blank_lines_are_none(tmp_path: Path) -> None:
    assert read(write(tmp_path, "\n\nA,B\n\n1,2\n\n3,NA")) == [{"A": "1", "B": "2"}, {"A": "3", "B": "NA"}]


@pytest.mark.parametrize("data", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, data: str) -> None:
    assert "in.csv: it is empty" in refusal(write(tmp_path, data))
    assert "in.jsonl: it is empty" in refusal(write(tmp_path, data.strip("\ufeff"), "in.jsonl"))


def test_a_header_alone_is_a_load_of_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "A,B\n")
    assert read(path) == []
    assert LoadSource(path).columns == ("A", "B")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("A,B,A\n1,2,3\n", "names column A 2 times"),
        ("A,,B\n1,2,3\n", "row 1, column 2: the column has no name and holds values"),
        (",\n1,2\n", "none of its columns has a name"),
        ('A,"B"x,C\n1,2,3\n', "its header has a quote within a name"),
        ('A,B"x\n1,2"\n', "its header has a quote within a name"),
        ('A,B\n1,"2\n3,4\n', "row 1, column B, opens a quote that is never closed"),
        ('A,B\n1,5" wide\n2,"line\nline"\n3,3" wide\n', "row 1, column B: has a quote within a cell"),
        ("A,B\r1,2\r", "carriage return alone"),
        ("A,B\n1,2\n".encode("utf-16"), "encoding: {path}: its encoding is UTF-16"),
        (b"A,\xe9\n1,2\n", "its header: byte 0xE9 is not UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_at_all_is_refused_with_its_place(tmp_path: Path, data: Any, words: str) -> None:
    path = write(tmp_path, data)
    assert words.format(path=path) in refusal(path)


@pytest.mark.parametrize(
    ("data", "row", "column"),
    [
        ("A,B\n1,2\n3,x \"y\" z\n5,6\n", 2, "B"),
        ('A,B\n1,"2"x\n3,4\n', 1, "B"),
        ('A,B\n\n\r\n"1"x,2\n3,4\n', 1, "A"),
        ('A,B\n"1\n1",2\n\n"3"",4"x,"5"\n6,7\n', 2, "A"),
    ],
)  # fmt: skip
def test_a_quote_that_is_out_of_place_is_a_fault_of_its_row(tmp_path: Path, data: str, row: int, column: str) -> None:
    path = write(tmp_path, data)
    (fault,) = faults(path)
    assert (fault.row, fault.column) == (row, column)
    assert fault.message.startswith("has a quote within a cell that is not quoted")
    (piece,) = LoadSource(path).pieces()
    assert piece.table.to_pylist()[row - 1] == {"A": None, "B": None}
    assert piece.table.num_rows == data.count("\n", data.rindex('"')) + row - 1


def test_rows_that_are_wrong_are_told_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, b"A,B\n1,2\n3\n4,5,6\n7,\xe9\n8," + b"x" * 131_073 + b"\n9," + b"y" * 131_072 + b"\n")
    assert faults(path) == [
        Fault(path, 2, None, "has 1 cell where the header names 2 columns"),
        Fault(path, 3, None, "has 3 cells where the header names 2 columns"),
        Fault(path, 4, "B", NOT_UTF8),
        Fault(path, 5, "B", "has 131,073 characters; Salesforce takes 131,072"),
    ]
    piece = next(LoadSource(path).pieces())
    assert piece.table.column("A").to_pylist() == ["1", "3", "4", "7", "8", "9"]


def test_characters_are_counted_and_not_bytes(tmp_path: Path) -> None:
    assert faults(write(tmp_path, "A,B\n1," + "é" * 131_072 + "\n")) == []


def test_json_lines_keep_digits_and_text(tmp_path: Path) -> None:
    lines = [
        {"A": "x\ny", "B": 1.10, "C": True, "D": None},
        {"B": 1e21, "A": "", "C": False},
        {"A": "NaN", "B": 12345678901234567890, "D": "🚀"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).replace("1.1,", "1.10,")
    assert read(write(tmp_path, text + "\n", "in.jsonl")) == [
        {"A": "x\ny", "B": "1.1", "C": "true", "D": None},
        {"A": None, "B": "1000000000000000000000", "C": "false", "D": None},
        {"A": "NaN", "B": "12345678901234567890", "C": None, "D": "🚀"},
    ]


def test_gzip_is_unpacked_and_damage_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(b"A,B\n1,2\n" * 1000)
    assert len(read(write(tmp_path, packed, "in.csv.gz"))) == 1999
    assert "cannot be unpacked" in refusal(write(tmp_path, packed[:-20], "short.csv.gz"))
    assert "cannot be unpacked" in refusal(write(tmp_path, b"A,B\n", "none.csv.gz"))


def test_a_glob_reads_all_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "B,A\n3,2\n4,3\n", "p2.csv")
    write(tmp_path, "A,B\n1,2\n", "p1.csv")
    write(tmp_path, "other", "q.csv")
    source = LoadSource(f"file://{tmp_path}/p?.csv")
    pieces = list(source.pieces())
    assert [piece.table.to_pylist() for piece in pieces] == [
        [{"A": "1", "B": "2"}],
        [{"A": "2", "B": "3"}, {"A": "3", "B": "4"}],
    ]
    assert [(piece.first_row, piece.first_position) for piece in pieces] == [(1, 0), (1, 1)]
    assert [source.locate(position) for position in range(3)] == [
        (source.files[0], 1),
        (source.files[1], 1),
        (source.files[1], 2),
    ]


def test_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    first, second = write(tmp_path, "A,B\n", "a.csv"), write(tmp_path, "A,C\n", "b.csv")
    assert "lacks B and has C as well" in refusal([first, second])
    assert "named twice" in refusal([first, first])
    assert "no file matches this pattern" in refusal(f"{tmp_path}/x*.csv")
    assert "no such file" in refusal(f"{tmp_path}/x.csv")
    assert "give file_format" in refusal(write(tmp_path, "A\n1\n", "a.txt"))
    assert read(f"{tmp_path}/a.txt", file_format="csv") == [{"A": "1"}]
    assert "not one of csv" in refusal(first, file_format="xml")


def extract(folder: Path) -> Receipt:
    """A data set as an extract leaves it."""
    column, target = Column("Name"), ObjectStoragePath(f"file://{folder}") / "part-00000.parquet"
    page = salesforce_csv([["Name"], ["a"], ["b"]])
    part = OutputFormat("parquet").write_page(target, ChunkedBody(page), (column,)).part
    receipt = Receipt(
        "Account", "SELECT Name FROM Account", None, "750", "65.0", 2, Counts(2, 2, 2), (part,),
        (column_entry(column),), None, "parquet", 1, 1.0, "1", output_path=str(folder),
    )  # fmt: skip
    (folder / "_receipt.json").write_text(receipt.to_json())
    (folder / "part-00001.parquet").write_bytes(b"of a run that broke off")
    return receipt


def test_an_extract_is_read_by_its_receipt_alone(tmp_path: Path) -> None:
    receipt = extract(tmp_path)
    for source in (str(tmp_path), f"file://{tmp_path}/_receipt.json", receipt.summary()):
        assert read(source) == [{"Name": "a"}, {"Name": "b"}]


def test_a_part_that_is_not_the_receipts_is_refused(tmp_path: Path) -> None:
    extract(tmp_path)
    part = tmp_path / "part-00000.parquet"
    content = part.read_bytes()
    part.write_bytes(content[:8] + b"\x00" + content[9:])
    assert "SHA-256 differs" in refusal(str(tmp_path))
    part.write_bytes(content + b"x")
    assert "size differs" in refusal(str(tmp_path))
    part.unlink()
    assert "it is gone" in refusal(str(tmp_path))
    (tmp_path / "_receipt.json").unlink()
    assert "no receipt" in refusal(str(tmp_path))


def test_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    rows = [{"A": 1, "B": moment, "C": Decimal("1E+3")}, {"A": "x", "B": None, "D": 1e-7}]
    assert read(rows) == [
        {"A": "1", "B": "2026-01-01T00:00:00.000Z", "C": "1000", "D": None},
        {"A": "x", "B": None, "C": None, "D": "0.0000001"},
    ]
    assert read([]) == []
    assert "10,001 rows are more" in refusal([{"A": 1}] * 10_001)
    assert faults([{"A": [{"b": 1}]}]) == [Fault("rows", 1, "A", "holds a list; a field takes one value")]


@pytest.mark.parametrize("source", [{"no": "receipt"}, [1], [{"A": 1}, "path"]])
def test_anything_else_is_refused(source: Any) -> None:
    assert "takes paths" in refusal(source)
