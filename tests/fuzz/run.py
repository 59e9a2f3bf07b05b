"""The loop: a share of the time for each target, and what was found."""

from __future__ import annotations

import resource
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.changes import changed
from tests.fuzz.targets import MOST_MB, MOST_SECONDS, TARGETS, case, tried


class Finding(NamedTuple):
    """What was found.

    :param what: happened.
    :param case: the input, for ``cases/``.
    """

    what: str
    case: str


@dataclass
class Row:
    """What came of a target.

    :param target: its name.
    :param inputs: that were tried.
    :param seconds: that it took.
    :param slowest: seconds of the slowest input.
    :param peak_mb: what the process grew by.
    :param findings: at most ten.
    """

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    peak_mb: float = 0.0
    findings: list[Finding] = field(default_factory=list)


def fuzz(seconds: float, seed: int, *, inputs: int | None = None) -> list[Row]:
    """Fuzz every target.

    :param seconds: in all.
    :param seed: of what is drawn.
    :param inputs: for each target at most, so that a seed always draws the same; None for as many as there is time for.
    """
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        return [_row(name, seconds / len(TARGETS), seed, inputs, Path(folder)) for name in TARGETS]


def _row(name: str, seconds: float, seed: int, inputs: int | None, folder: Path) -> Row:
    row, random = Row(name), Random(f"{name} {seed}")
    begun, before = time.monotonic(), _peak()
    while row.seconds < seconds and (inputs is None or row.inputs < inputs) and len(row.findings) < 10:
        data = changed(random, TARGETS[name].seeds)
        started = time.monotonic()
        what = fault_of(name, data, folder)
        row.slowest = max(row.slowest, time.monotonic() - started)
        row.inputs += 1
        row.seconds = time.monotonic() - begun
        if what:
            row.findings.append(Finding(what, case(data)))
    row.peak_mb = _peak() - before
    if row.peak_mb > MOST_MB:
        row.findings.append(Finding(f"the process grew by {row.peak_mb:.0f} MB", ""))
    return row


def fault_of(name: str, data: bytes, folder: Path) -> str:
    """What is wrong with how a target takes some bytes; empty where nothing is.

    :param name: of the target.
    :param data: the bytes.
    :param folder: for files.
    """
    for _ in range(2):
        started = time.process_time()
        try:
            tried(name, data, folder)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return f"{type(error).__name__}: {error}"[:300]
        if (took := time.process_time() - started) < MOST_SECONDS:
            return ""
    return f"{took:.1f} s, twice"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
