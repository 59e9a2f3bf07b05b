from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.local_airflow.processes import poll_until
from tests.repository import REPOSITORY

# Starts a child as the tests do, and waits to be killed.
_KILLED = """
import os, sys, time
from pathlib import Path
from tests.local_airflow.processes import ChildProcess
child = ChildProcess("left", [sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ, log=Path("log"))
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert poll_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 20)
