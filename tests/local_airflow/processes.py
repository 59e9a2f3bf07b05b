"""Child processes that leave nothing behind, and free ports for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

_POLL_SECONDS = 0.1
# Its input ends when its parent has ended, in whatever way: then it ends the process group that it is told.
_GUARD = """
cat
kill -s TERM -- "-$1"
tries=0
while kill -s 0 -- "-$1" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -s KILL -- "-$1"
"""


class LocalAirflowError(Exception):
    """What was started did not do what it was started for; the message has the last lines of its log."""


def free_port() -> int:
    """Find a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def poll_until(condition: Callable[[], bool], seconds: float, interval: float = _POLL_SECONDS) -> bool:
    """Ask until a condition holds.

    :param condition: what to ask; it may raise to give up early.
    :param seconds: after which to stop asking.
    :param interval: seconds between two questions.
    :return: whether it came to hold.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def tail(path: Path, lines: int = 15) -> str:
    """Read the last lines of a log, or say that there is none.

    :param path: of the log.
    :param lines: how many.
    """
    if not path.exists():
        return f"({path} was not written)"
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class ChildProcess:
    """A program in a session of its own, so that Ctrl-C in the terminal reaches only us, and we end it with its children.

    Should we be killed before we can, a guard ends it.

    :param name: for messages.
    :param command: to run.
    :param env: its whole environment.
    :param log: file that gets its output.
    """

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                # Not ours: what lies in a current folder can be imported, and the child must see only what is installed.
                cwd=log.parent,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self._popen.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id, which is also that of its session."""
        return self._popen.pid

    def running(self) -> bool:
        """Whether it runs. The dead one is not reaped, so that its id stays taken until :meth:`reap`."""
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def check(self) -> None:
        """Raise when it has ended.

        :raises LocalAirflowError: with the end of its log.
        """
        if not self.running():
            raise LocalAirflowError(f"{self.name} ended; the last lines of {self.log}:\n{tail(self.log)}")

    def members(self) -> list[psutil.Process]:
        """Every process of its session that still runs, whoever its parent has become."""
        found = []
        for pid in psutil.pids():
            try:
                if os.getsid(pid) == self.pid:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
            except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                continue
        return found

    def kill(self) -> None:
        """``kill -9`` of the program and all that it has started, as when a machine is lost."""
        started = psutil.Process(self.pid).children(recursive=True)
        _signal_all([psutil.Process(self.pid), *started, *self.members()], signal.SIGKILL)
        poll_until(lambda: not self.members(), 5.0)
        self.reap()

    def reap(self) -> None:
        """Give the id of the dead process back, for which the guard must no longer look."""
        self._guard.kill()
        self._guard.communicate()
        self._popen.wait()


def _signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def stop_all(children: Sequence[ChildProcess], grace: float = 10.0) -> None:
    """End processes with everything that they started: politely, then by force.

    :param children: to end, all at the same time.
    :param grace: seconds in which they may end by themselves.
    """
    _signal_all((each for child in children if child.running() for each in [psutil.Process(child.pid)]), signal.SIGTERM)
    if not poll_until(lambda: not any(child.running() for child in children), grace):
        _signal_all((each for child in children for each in child.members()), signal.SIGKILL)
    # Workers outlive a parent that ended by itself or was killed by somebody else.
    poll_until(lambda: not any(child.members() for child in children), 2.0)
    _signal_all((each for child in children for each in child.members()), signal.SIGKILL)
    poll_until(lambda: not any(child.members() for child in children), 5.0)
    for child in children:
        child.reap()
