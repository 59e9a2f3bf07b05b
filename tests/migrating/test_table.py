"""The table of what has been run, after all of it: pytest takes the files of a folder in the order of their names."""

from __future__ import annotations

import pytest

from tests.migrating.table import TABLE


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m pytest tests/migrating`` prints it, in one process."""
    with capsys.disabled():
        print(f"\n{TABLE}")
