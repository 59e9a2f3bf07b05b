"""Every kind of the table has tests, and every kind that has tests stands in it. CONTRIBUTING has the command that prints it."""

from __future__ import annotations

import re

from tests.reports.kinds import KINDS, kind_of, table
from tests.repository import REPOSITORY


def test_every_kind_is_tested() -> None:
    files = (REPOSITORY / "tests").rglob("test_*.py")
    names = [
        name for file in files for name in re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    ]
    tested = {kind_of(f"tests/x.py::{name}") for name in names} - {None}
    assert tested == {kind for kind, *_ in KINDS}


def test_the_table_counts_what_a_run_tried() -> None:
    lines = list(
        table(["tests/reports/x.py::test_R1_a", "tests/x.py::test_other"], ["tests/reports/x.py::test_R1_c[1]"])
    )
    assert [line.split()[-4:] for line in lines if line.startswith("R1")][0] == ["1", "passed,", "1", "FAILED"]
    assert {line.split()[0] for line in lines[1:]} == {"R1"}
