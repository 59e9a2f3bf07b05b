"""JSON lines that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats import json_lines
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.formats.json_rows import json_rows
from tests.files.formats.inputs import an_input, refusal


@pytest.mark.parametrize("lines_at_once", [1, 2, 5_000])
def test_faults_name_their_row_in_the_file(tmp_path: Path, lines_at_once: int) -> None:
    file = an_input(tmp_path, '{"A": 1}\n{"A": [1]}\n{"A": 2, "B": 3}\n', "in.ndjson")
    pieces = list(json_lines.pieces(file, ["A"], ["A"], lines_at_once=lines_at_once))
    assert sorted((fault for _, faults in pieces for fault in faults), key=lambda fault: fault.row or 0) == [
        Fault(file.name, 3, None, "has the unexpected key(s) B"),
    ]


@pytest.mark.parametrize(
    ("data", "column", "said"),
    [
        (b"nonsense\n", None, "is not JSON: Expecting value"),
        (b"5\n", None, "is a JSON number, not an object"),
        (b'"x"\n', None, "is a JSON text, not an object"),
        (b"null\n", None, "is a JSON null, not an object"),
        (b"{\n", None, "is not JSON"),
        (b"[" * 100_000 + b"\n", None, "is not JSON"),
        (b'{"A": "\xe9"}\n', "A", "byte 0xE9 is not UTF-8"),
        (b'{"A": ["x", "\xe9"]}\n', "A", "byte 0xE9 is not UTF-8"),
        (b'{"A": 1, "\xe9": 2}\n', None, "has a key that is not text: byte 0xE9 is not UTF-8"),
    ],
)
def test_a_bad_line_is_a_fault_of_its_row_beside_the_others(
    tmp_path: Path, data: bytes, column: str | None, said: str
) -> None:
    file = an_input(tmp_path, b'{"A": 1}\n\n' + data + b'{"A": [1]}\n', "in.jsonl")
    assert json_lines.columns(file) == ("A",)
    [(table, faults)] = json_lines.pieces(file, ["A"], ["A"])
    assert table.num_rows == 3
    assert [(fault.row, fault.column) for fault in faults] == [(2, column)]
    assert faults[0].message.startswith(said)


def test_a_file_of_bad_lines_alone_has_no_columns(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="row 1 is not JSON"):
        json_lines.columns(an_input(tmp_path, b"nonsense\n{\n", "in.jsonl"))


ROWS = [{"A": f"é{row}", "B": {"C": row, "D": None}} for row in range(500)]


@pytest.mark.parametrize(
    "text", [json.dumps(ROWS), json.dumps(ROWS, indent=2, ensure_ascii=False), f"\n [{json.dumps(ROWS)[1:]}\n"]
)
@pytest.mark.parametrize("block_size", [1, 7, 100_000])
def test_an_array_is_read_a_block_at_a_time(tmp_path: Path, text: str, block_size: int) -> None:
    file = an_input(tmp_path, text, "in.json")
    assert json_lines.columns(file) == ("A", "B.C", "B.D")
    with file.opened_text() as stream:
        rows = [row.values for row in json_rows(file, stream, block_size=block_size)]
    assert rows == [{"A": f"é{row}", "B.C": str(row), "B.D": None} for row in range(500)]


def test_an_empty_array_is_a_load_of_nothing(tmp_path: Path) -> None:
    file = an_input(tmp_path, " [\n] ", "in.json")
    assert json_lines.columns(file) == ()
    assert list(json_lines.pieces(file, [], [])) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('[{"A": 1}, {"A": 2', "row 2 of its array is not JSON"),
        ('[{"A": 1}', "row 2 of its array is not JSON: the file ends before its ','"),
        ('[{"A": 1} {"A": 2}]', "row 2 of its array is not JSON: '{' instead of ','"),
        ('[{"A": 1},]', "row 2 of its array is not JSON"),
        ('[{"A": 1}]\n[{"A": 2}]', "there is more after the end of its array of 1 rows"),
    ],
)
def test_an_array_that_is_not_whole_is_refused(tmp_path: Path, data: str, said: str) -> None:
    assert said in refusal(json_lines.pieces(an_input(tmp_path, data, "in.json"), ["A"], ["A"]))


@pytest.mark.parametrize("start", ["", "["])
def test_an_object_that_is_never_closed_does_not_fill_the_memory(tmp_path: Path, start: str) -> None:
    file = an_input(tmp_path, start + '{"A": "' + "x" * 100_000, "in.json")
    with file.opened_text() as stream, pytest.raises(ConfigurationError, match="row 1"):
        list(json_rows(file, stream, block_size=1_000, longest_object=5_000))
