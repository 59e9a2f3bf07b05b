"""Merges that die at a chosen statement, in processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.tables import backends, merge
from airflow_provider_sfjwt.tables.database import Database
from tests.processes import processes

#: What a merge does to its database, one after the other.
STEPS = ("begin", "lock", "run", "write", "upsert", "stage", "commit")


def _mortal(backend: type[Database], step: int, after: bool, log: Path) -> type[Database]:
    """A back end whose process is killed at one of its steps.

    :param backend: whose every step is counted.
    :param step: the number of the fatal one, from 0.
    :param after: whether it is killed when the step is done, and not before.
    :param log: takes a line for each step that is begun.
    """
    counted = iter(range(10**6))
    depth = [0]

    def fatal(name: str) -> Callable[..., Any]:
        original = getattr(backend, name)

        def run(self: Database, *arguments: Any) -> Any:
            if depth[0]:  # a step within a step
                return original(self, *arguments)
            here = next(counted)
            with log.open("a", encoding="utf-8") as lines:
                lines.write(_said(name, arguments) + "\n")
            if here == step and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            depth[0] += 1
            try:
                return original(self, *arguments)
            finally:
                depth[0] -= 1
                if here == step and after:
                    os.kill(os.getpid(), signal.SIGKILL)

        return run

    return type(backend.__name__, (backend,), {name: fatal(name) for name in STEPS})


def _said(name: str, arguments: tuple[Any, ...]) -> str:
    """A step in a few words: that of a statement are its first ones."""
    texts = [each for each in arguments if isinstance(each, str)]
    return " ".join(texts[0].split()[:4]) if texts and name in ("run", "write", "upsert") else name


def _die(environment: dict[str, str], step: int, after: bool, log: Path, arguments: dict[str, Any]) -> None:
    os.environ.update(environment)
    mortal: dict[str, Any] = {name: _mortal(each, step, after, log) for name, each in backends.BACKENDS.items()}
    backends.BACKENDS.update(mortal)
    merge(**arguments)


def killed_at(step: int, after: bool, conn_json: str, log: Path, arguments: dict[str, Any]) -> str | None:
    """Merge in a process that is killed at a step.

    :param step: its number, from 0.
    :param after: whether the step is done by then.
    :param conn_json: the connection ``warehouse``.
    :param log: a file to be written.
    :param arguments: of the merge.
    :return: the step at which it was killed; None where the merge has no such step, and ended well.
    """
    log.unlink(missing_ok=True)
    environment = {"AIRFLOW_CONN_WAREHOUSE": conn_json}
    process = processes().Process(target=_die, args=(environment, step, after, log, arguments))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return log.read_text(encoding="utf-8").splitlines()[-1] if process.exitcode else None


def merge_together(
    conn_json: str, several: Sequence[dict[str, Any]], meanwhile: Callable[[], object] | None = None
) -> list[int | None]:
    """Merge in processes at the same time.

    :param conn_json: the connection ``warehouse``.
    :param several: the arguments of each merge.
    :param meanwhile: is called again and again while they run.
    :return: their exit codes.
    """
    running = [_started({"AIRFLOW_CONN_WAREHOUSE": conn_json}, arguments) for arguments in several]
    while meanwhile and any(process.is_alive() for process in running):
        meanwhile()
    for process in running:
        process.join(120)
    return [process.exitcode for process in running]


def _started(environment: dict[str, str], arguments: dict[str, Any]) -> Any:
    process = processes().Process(target=_die, args=(environment, 10**7, False, Path(os.devnull), arguments))
    process.start()
    return process
