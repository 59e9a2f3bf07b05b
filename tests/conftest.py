"""What every test may rely on: an environment without an Airflow of the user's, and programs found by name."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Generator
from typing import Any

import pytest

#: Set where everything has been installed, so that a test which skips is one that should have run.
NO_SKIP = os.environ.get("SFJWT_NO_SKIP") == "1"


def _forget_the_users_airflow() -> None:
    """Before anything imports airflow, which reads its settings at that moment and makes its home."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "_AIRFLOW_")):
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="sfjwt-airflow-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


_forget_the_users_airflow()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a skip as a failure where nothing may be missing."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although SFJWT_NO_SKIP=1: {why}"
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium, which Playwright is not let download."""
    path = os.environ.get("SFJWT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("missing: Chromium (SFJWT_CHROMIUM, or chromium on the PATH)")
    return path


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Let what shares the one running Airflow stay in one process, where several share the work."""
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group("system"))
