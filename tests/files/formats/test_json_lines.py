"""JSON lines that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt.files.formats import json_lines
from airflow_provider_sfjwt.files.formats.faults import Fault
from tests.files.formats.inputs import an_input, refusal


@pytest.mark.parametrize("lines_at_once", [1, 2, 5_000])
def test_faults_name_their_row_in_the_file(tmp_path: Path, lines_at_once: int) -> None:
    file = an_input(tmp_path, '{"A": 1}\n{"A": [1]}\n{"A": 2, "B": 3}\n', "in.ndjson")
    pieces = list(json_lines.pieces(file, ["A"], ["A"], lines_at_once=lines_at_once))
    assert sorted((fault for _, faults in pieces for fault in faults), key=lambda fault: fault.row or 0) == [
        Fault(file.name, 2, "A", "holds a list; a field takes one value"),
        Fault(file.name, 3, None, "has the unexpected key(s) B"),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"nonsense\n", "row 1 is not JSON"),
        (b"[1]\n", "row 1 is a JSON list"),
        (b'{"A": "\xe9"}\n', "row 1 is not UTF-8"),
        (b'{"A": 1}\n{', "row 2 is not JSON"),
    ],
)
def test_a_line_that_is_not_an_object_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refusal(json_lines.pieces(an_input(tmp_path, data, "in.jsonl"), ["A"], ["A"]))
