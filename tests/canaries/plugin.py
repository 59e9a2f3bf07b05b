"""A plugin of pytest that walks every error which a test catches, and prints how much it looked at."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.canaries.walk import Walk

#: The name of the plugin.
PLUGIN = "canaries"
#: Where the tables of faults are: connections, keys, sign-ins, requests, the hook, the doctor, extracts, loads, tables.
_WALKED = (
    "tests/salesforce/auth/",
    "tests/salesforce/api/test_session.py",
    "tests/salesforce/api/test_resource.py",
    "tests/salesforce/wire/test_failures.py",
    "tests/hooks/test_hook.py",
    "tests/doctor/test_checkup.py",
    "tests/operators/test_extract_fault_table.py",
    "tests/operators/test_load_faults.py",
    "tests/tables/test_bad_input.py",
    "tests/attacks/test_echoes.py",
    "tests/attacks/test_frames.py",
    "tests/attacks/test_tokens_stay_home.py",
)


class Canaries:
    """Walks the errors of a run. What it counts travels in the reports, so that xdist's workers need nothing of their own."""

    def __init__(self) -> None:
        self.__name__ = PLUGIN  # by which pytest registers it
        self._walk: Walk | None = None
        self._patch = pytest.MonkeyPatch()

    def pytest_sessionstart(self) -> None:
        """See each error that ``pytest.raises`` catches."""
        original = pytest.ExceptionInfo.fill_unfilled

        def fill_unfilled(caught: pytest.ExceptionInfo[Any], exc_info: Any) -> None:
            original(caught, exc_info)
            self.caught(caught.value)

        self._patch.setattr(pytest.ExceptionInfo, "fill_unfilled", fill_unfilled)

    def pytest_sessionfinish(self) -> None:
        """Leave pytest as it was."""
        self._patch.undo()

    def caught(self, error: BaseException) -> None:
        """Walk an error, where the running test is one of those that are walked.

        :param error: with its traceback.
        """
        if self._walk is not None:
            self._walk.error(error)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test whose error has a secret in its frames."""
        if not item.nodeid.startswith(_WALKED):
            return (yield)
        walk = self._walk = Walk()
        try:
            outcome = yield
        finally:
            self._walk = None
            if walk.tracebacks:
                item.user_properties.append(("canaries", (walk.tracebacks, walk.frames, len(walk.found))))
        if walk.found:
            pytest.fail("bare secrets in the frames of an error:\n  " + "\n  ".join(dict.fromkeys(walk.found)))
        return outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was looked at, where the run walked anything."""
        reports = [each for name in ("passed", "failed") for each in terminalreporter.stats.get(name, [])]
        walks = [dict(each.user_properties).get("canaries") for each in reports if each.when == "call"]
        if counted := [each for each in walks if each]:
            tracebacks, frames, canaries = (sum(each[number] for each in counted) for number in range(3))
            terminalreporter.section("canaries")
            terminalreporter.write_line(
                f"tracebacks walked {tracebacks:,} of {len(counted):,} tests, frames {frames:,}, canaries {canaries:,}"
            )
