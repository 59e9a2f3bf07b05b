"""What every test may rely on: an environment without an Airflow of the user's, and programs found by name."""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.attacks import table as attacks
from tests.canaries import plugin as canaries
from tests.matrix.older_airflow import know_names_of_airflow_3_2
from tests.random_tests import PLUGIN, RandomTests, set_up_hypothesis
from tests.reports.kinds import kind_of, table

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
know_names_of_airflow_3_2()
set_up_hypothesis()


def pytest_configure(config: pytest.Config) -> None:
    """Gather what random tests report, unless ``make soak`` already does, and the attacks that were tried."""
    if not config.pluginmanager.has_plugin(PLUGIN):
        config.pluginmanager.register(RandomTests(), PLUGIN)
    config.pluginmanager.register(attacks.Attacks(), attacks.PLUGIN)
    config.pluginmanager.register(canaries.Canaries(), canaries.PLUGIN)


@pytest.fixture(scope="session")
def said(pytestconfig: pytest.Config) -> list[str]:
    """Lines that random tests want to be read at the end of the run."""
    plugin = pytestconfig.pluginmanager.get_plugin(PLUGIN)
    assert isinstance(plugin, RandomTests)
    return plugin.said


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


class _CompiledWhenUsed:
    """A pattern that is compiled when something is first looked for with it."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    @functools.cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._pattern)

    def sub(self, replacement: str, text: str) -> str:
        return self._compiled.sub(replacement, text)


_MASKER = "airflow.sdk._shared.secrets_masker.secrets_masker"


@pytest.fixture(scope="session", autouse=True)
def _masker_that_compiles_when_it_masks() -> Iterator[None]:
    """Airflow 3.3 compiles one pattern of all secrets anew with each of them: seconds for what hardly any test masks.

    What is masked stays the same. Tests of whole processes run an Airflow without this. An Airflow whose masker lies or works
    elsewhere fails the session: then this has to follow, or the suite would only be slow.
    """
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec(_MASKER) and "airflow.sdk" in sys.modules:
            module = importlib.import_module(_MASKER)
            patch.setattr(module, "re", SimpleNamespace(compile=_CompiledWhenUsed, escape=re.escape, sub=re.sub))
            masker = module.SecretsMasker()
            masker.add_mask("any secret")
            assert isinstance(masker.replacer, _CompiledWhenUsed), (
                f"{_MASKER} does not compile its pattern by re.compile"
            )
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what waits longest where several processes share the work, so that it is not waited for at the end.

    That is what needs a running Airflow, then what starts other programs, then the tables of faults.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=_waited_for)


def _waited_for(item: pytest.Item) -> int:
    """The place of a test in the order of the suite."""
    if item.get_closest_marker("system"):
        return 0
    folder = item.path.parent.name
    if folder in ("examples", "cli") or any(item.get_closest_marker(name) for name in ("browser", "node", "java")):
        return 1
    return 2 if folder == "operators" else 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores, since much of the suite waits; at most five, since one Airflow is left last."""
    return min((os.cpu_count() or 1) + 1, 5)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process whole files, and all that shares the one running Airflow to the same process.

    The mark ``xdist_group`` would say the latter, but pytest-xdist 3.8 does not see it with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "tests/system" if file.startswith("tests/system/") else file

    # In the order of the tests, not by how many there are of them.
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what became of the inputs that others reported, where the run tried them."""
    ids = {name: [each.nodeid for each in terminalreporter.stats.get(name, [])] for name in ("passed", "failed")}
    if any(kind_of(nodeid) for nodeid in ids["passed"] + ids["failed"]):
        terminalreporter.section("what others reported")
        for line in table(ids["passed"], ids["failed"]):
            terminalreporter.write_line(line)
