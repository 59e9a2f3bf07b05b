"""CSV with U+0000, which Python's own module reads and writes since 3.11."""

from __future__ import annotations

import csv
import io

import pytest

from airflow_provider_sfjwt.compat.csv_text import csv_rows, csv_text

ROWS = [["Id", "Text"], ["1", "a\0b"], ["2", '\0"\n,\ue000'], ["3", ""], ["4", "\r\n"]]


@pytest.mark.parametrize("python", [{}, {"refuses_nul": True}], ids=["this one", "3.10"])
def test_any_character_comes_back(python: dict[str, bool]) -> None:
    assert list(csv_rows(csv_text(ROWS, **python), **python)) == ROWS


@pytest.mark.parametrize("refuses_nul", [False, True])
def test_what_has_no_nul_is_written_as_the_module_does(refuses_nul: bool) -> None:
    rows = [[cell.replace("\0", "") for cell in row] for row in ROWS]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert csv_text(rows, refuses_nul=refuses_nul) == written.getvalue()
    assert csv_text([[None, "x"]], refuses_nul=refuses_nul) == '"","x"\n'
