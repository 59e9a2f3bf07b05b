"""The table of attacks counts and measures what a run tried."""

from __future__ import annotations

import pytest

from tests.attacks.table import Attacks, attacks_in, table

pytest_plugins = ["pytester"]

_TESTS = """
import pytest

@pytest.mark.attack("a large answer", before="all memory", after="bounded")
@pytest.mark.parametrize("megabytes", [1, 40])
def test_large(megabytes):
    assert len(bytearray(b"x" * megabytes * 2**20))

@pytest.mark.attack("a slow answer", before="for ever", after="ends")
def test_slow(record_property):
    record_property("peak_mb", 7.25)
    record_property("seconds", 3.5)
    assert False

def test_other():
    pass
"""


def test_a_run_prints_its_attacks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_TESTS)
    config = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio"]
    result = pytester.inline_run(*config, plugins=[Attacks()])
    reports = [
        report
        for name in ("passed", "failed")
        for report in result.getreports("pytest_runtest_logreport")
        if report.outcome == name
    ]
    large, slow = attacks_in(reports)
    assert (large.what, large.before, large.after, large.result) == (
        "a large answer",
        "all memory",
        "bounded",
        "2 passed",
    )
    assert len(large.peaks) in (0, 2)
    assert not large.peaks or 30 < max(large.peaks) < 200
    assert (slow.seconds, slow.peaks, slow.result) == ([3.5], [7.25], "1 FAILED")
    lines = list(table([large, slow]))
    assert lines[0].split() == ["attack", "before", "after", "seconds", "peak", "MB", "tests"]
    assert lines[2].split()[-4:] == ["3.50", "7.2", "1", "FAILED"]
