from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.local_airflow.processes import ChildProcess, LocalAirflowError, poll_until, stop_all

# A child that will not go politely, of a parent that goes at once.
_STUBBORN = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_stopping_ends_grandchildren_too(tmp_path: Path) -> None:
    child = ChildProcess("stubborn", [sys.executable, "-c", _STUBBORN], env=os.environ, log=tmp_path / "log")
    assert poll_until(lambda: "up" in child.log.read_text(), 20)
    members = child.members()
    assert len(members) == 2
    stop_all([child], grace=0.2)
    assert [each for each in members if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
    assert child.members() == []


def test_a_dead_process_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('first'); raise SystemExit('the reason')"]
    child = ChildProcess("short-lived", command, env=os.environ, log=tmp_path / "log")
    assert poll_until(lambda: not child.running(), 20)
    with pytest.raises(LocalAirflowError, match="(?s)short-lived ended.*the reason"):
        child.check()
    stop_all([child])
