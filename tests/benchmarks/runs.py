"""Runs of measured processes, side by side, and what they come to."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.served import CACHE, ROOT

Sample = dict[str, float]
PEERS_PYTHON = CACHE / "venv" / "bin" / "python"


class BenchmarkError(Exception):
    """A measured process failed; the message has the end of what it said."""


@dataclass(frozen=True)
class Figures:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample], key: str, scale: float = 1.0) -> Figures:
        """Take one figure of each sample.

        :param samples: of one variant.
        :param key: which figure.
        :param scale: what to divide it by.
        """
        return cls(tuple(sample[key] / scale for sample in samples))

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    def text(self, digits: int = 2) -> str:
        """Median, and the range where there are several. :param digits: behind the point."""
        if len(self.values) == 1:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({min(self.values):,.{digits}f} – {max(self.values):,.{digits}f})"


@dataclass(frozen=True)
class Verdict:
    """A limit of the project's own, and how the measurement stands to it."""

    limit: str
    measured: str
    met: bool


@dataclass
class Section:
    """One table with its words.

    :param title: its heading.
    :param words: paragraphs before the table.
    :param columns: the table's head.
    :param rows: its cells.
    :param verdicts: the limits.
    """

    title: str
    words: list[str]
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def markdown(self) -> str:
        """The section as it stands in the page."""
        table = [_line(self.columns), _line(["---"] * len(self.columns)), *map(_line, self.rows)]
        limits = [_line(["limit", "measured", "met"]), _line(["---"] * 3)]
        limits += [_line([each.limit, each.measured, "yes" if each.met else "**no**"]) for each in self.verdicts]
        blocks = [f"## {self.title}", *self.words, "\n".join(table), "\n".join(limits) if self.verdicts else ""]
        return "\n\n".join(block for block in blocks if block)


def interleaved(variants: Mapping[str, Callable[[], Sample]], runs: int) -> dict[str, list[Sample]]:
    """Run variants in turn, so that what else the machine does falls on all of them.

    :param variants: by name.
    :param runs: of each.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    for run in range(1, runs + 1):
        for name, variant in variants.items():
            sample = variant()
            samples[name].append(sample)
            print(f"  {run}/{runs} {name}: {_short(sample)}", flush=True)
    return samples


def fresh(command: Sequence[str | Path], env: Mapping[str, str]) -> Sample:
    """Run a process that prints its measurements as JSON in its last line.

    :param command: to run.
    :param env: its environment.
    :raises BenchmarkError: when it fails.
    """
    done = finished([str(each) for each in command], env)
    sample: dict[str, Any] = json.loads(done.splitlines()[-1])
    return sample


def finished(command: Sequence[str], env: Mapping[str, str], folder: Path = ROOT) -> str:
    """Run a process to its end and return what it printed.

    :param command: to run.
    :param env: its environment.
    :param folder: where it runs.
    :raises BenchmarkError: when it fails.
    """
    done = subprocess.run(
        command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout


def ours(env: Mapping[str, str], *arguments: str) -> Sample:
    """One extract of ours in a fresh process. :param env: its environment. :param arguments: of ``extract_once``."""
    return fresh([sys.executable, "-W", "ignore", "-m", "tests.benchmarks.extract_once", *arguments], env)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(sample: Sample) -> str:
    shown = []
    for key, value in sample.items():
        shown.append(f"{key} {value / 1e6:,.1f} MB" if key.endswith("_bytes") else f"{key} {value:,.6g}")
    return ", ".join(shown)
