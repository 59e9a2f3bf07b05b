"""How much the random tests try: a seeded sample in the suite, the same each time; many times that in ``make soak``.

A random test is a Hypothesis test. It joins by itself, and says how many examples its sample has where 50 are
too many or too few: ``@settings(max_examples=examples(60))``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any, NamedTuple

import pytest
from hypothesis import is_hypothesis_test, settings

#: How many samples are tried. 0, in the suite: one, drawn from the test's own name and so the same each time.
SOAK = int(os.environ.get("SFJWT_SOAK", "0"))

#: The name of the plugin that gathers what random tests report.
PLUGIN = "random-tests"
_PASSING = re.compile(r"(\d+) passing\b")


def examples(sample: int) -> int:
    """How many examples a test tries in this run.

    :param sample: how many it tries in the suite.
    """
    return sample * max(1, SOAK)


def set_up_hypothesis() -> None:
    """Load the settings that every random test begins with."""
    settings.register_profile(
        "sfjwt", max_examples=examples(50), derandomize=not SOAK, database=None, deadline=None, print_blob=True
    )
    settings.load_profile("sfjwt")


class Ran(NamedTuple):
    """A random test that was run.

    :param test: its node id.
    :param examples: how many examples passed.
    :param seconds: how long it took.
    :param outcome: ``passed``, ``failed`` or ``skipped``.
    """

    test: str
    examples: int
    seconds: float
    outcome: str


class RandomTests:
    """A plugin of pytest that marks random tests with ``soak`` and gathers what they report, from xdist's workers too."""

    def __init__(self) -> None:
        self.__name__ = PLUGIN  # by which pytest registers it
        self.ran: list[Ran] = []
        self.said: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark before ``-m`` selects."""
        for item in items:
            if is_hypothesis_test(getattr(item, "obj", None)):
                item.add_marker("soak")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report carry how many examples passed."""
        report = yield
        if call.when == "call" and item.get_closest_marker("soak"):
            drawn = is_hypothesis_test(getattr(item, "obj", None))
            # A test that goes through all cases is one example.
            passing = sum(map(int, _PASSING.findall(getattr(item, "hypothesis_statistics", "")))) if drawn else 1
            report.user_properties.append(("examples", passing))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather a random test."""
        properties = dict(report.user_properties)
        if report.when == "call" and "examples" in properties:
            self.ran.append(Ran(report.nodeid, properties["examples"], report.duration, report.outcome))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand what a worker's tests said to the process that reports."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[PLUGIN] = self.said

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take it there."""
        self.said += getattr(node, "workeroutput", {}).get(PLUGIN, [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what the tests said."""
        if self.said:
            terminalreporter.section("what tests found")
            for line in sorted(self.said):
                terminalreporter.line(line)
