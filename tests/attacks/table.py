"""The table of attacks and bad days, which a run that tried any of them prints at its end.

An attack is a test that carries the mark ``attack``, wherever it lies: what is tried, what the product did with it before it
was mended, and what it does now. ::

    @pytest.mark.attack("a page without a line end", before="more than 2.5 GiB", after="ends at 16 MB, by name")
    def test_a_page_without_a_line_end(...) -> None: ...

Tests with the same first words share a row: cases of one parametrized test, and siblings of an attack. The row counts
them, and shows the longest time and the highest peak. Seconds and peak are measured: the peak is what the process grew by
during the test. A test that attacks another process reports that one's own with the fixture ``record_property``:
``record_property("peak_mb", 41.5)``; so does ``record_property("seconds", 0.8)`` where a test does much else. A test whose
rows are cases names each attack itself: ``pytest.param(..., marks=pytest.mark.attack(...))``.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: The name of the plugin.
PLUGIN = "attacks"
_MARK = (
    "attack(what, before, after): a row of the table that a run prints: what is tried, what came of it, what comes now"
)


@dataclass
class Attack:
    """A row of the table.

    :param what: is tried.
    :param before: what the product did with it.
    :param after: what it does now.
    :param outcomes: of the tests.
    :param seconds: of each.
    :param peaks: what the process grew by, in MB, where the system tells.
    """

    what: str
    before: str
    after: str
    outcomes: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)

    @property
    def result(self) -> str:
        """How many tests came to what, e.g. ``3 passed``."""
        return ", ".join(f"{self.outcomes.count(each)} {each}" for each in sorted(set(self.outcomes), reverse=True))


class Attacks:
    """A plugin of pytest that measures the tests that carry the mark, and prints them as one table.

    Everything travels in the reports, so that xdist's workers need nothing of their own.
    """

    def __init__(self) -> None:
        self.__name__ = PLUGIN  # by which pytest registers it

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the mark known."""
        config.addinivalue_line("markers", _MARK)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure how much the process grows."""
        mark = item.get_closest_marker("attack")
        if mark is None:
            return (yield)
        item.user_properties.append(("attack", (mark.args[0], mark.kwargs["before"], mark.kwargs["after"])))
        begun = _resident("VmRSS") if _forget_peak() else None
        try:
            return (yield)
        finally:
            if begun is not None and "peak_mb" not in dict(item.user_properties):
                item.user_properties.append(("peak_mb", round(max(0.0, _resident("VmHWM") - begun), 1)))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, where the run tried any attack."""
        reports = [each for name in ("passed", "failed") for each in terminalreporter.stats.get(name, [])]
        if rows := attacks_in(reports):
            terminalreporter.section("attacks and bad days")
            for line in table(rows):
                terminalreporter.write_line(line)


def attacks_in(reports: Iterable[pytest.TestReport]) -> list[Attack]:
    """The rows that reports come to, by what was tried.

    :param reports: of tests, whether or not they carry the mark.
    """
    rows: dict[str, Attack] = {}
    for report in reports:
        properties = dict(report.user_properties)
        if report.when != "call" or "attack" not in properties:
            continue
        row = rows.setdefault(properties["attack"][0], Attack(*properties["attack"]))
        row.outcomes.append(report.outcome.upper() if report.failed else report.outcome)
        row.seconds.append(float(properties.get("seconds", report.duration)))
        row.peaks += [float(properties["peak_mb"])] if "peak_mb" in properties else []
    return sorted(rows.values(), key=lambda row: row.what.lower())


def table(rows: Iterable[Attack]) -> Iterator[str]:
    """The lines of the table.

    :param rows: one for each attack.
    """
    shown = [
        (
            row.what,
            row.before,
            row.after,
            f"{max(row.seconds):.2f}",
            f"{max(row.peaks):.1f}" if row.peaks else "",
            row.result,
        )
        for row in rows
    ]
    titles = ("attack", "before", "after", "seconds", "peak MB", "tests")
    widths = [max(len(line[column]) for line in (titles, *shown)) for column in range(len(titles))]
    for line in (titles, *shown):
        cells = [
            cell.rjust(width) if column in (3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _forget_peak() -> bool:
    """Begin a new peak of this process. Linux alone can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident(name: str) -> float:
    """A figure of this process' memory, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
