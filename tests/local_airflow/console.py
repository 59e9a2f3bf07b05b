"""What the demo says while it works."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class Console:
    """Numbered steps, each with the time it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._steps = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step; what is said inside is indented below it.

        :param title: what is being done.
        """
        self._steps += 1
        began = time.monotonic()
        print(f"{self._steps}. {title}", flush=True)
        yield
        self.say(f"done in {time.monotonic() - began:.1f} s")

    def say(self, text: str) -> None:
        """A line below the step, or several.

        :param text: to say.
        """
        for line in text.splitlines():
            print(f"   {line}", flush=True)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay rows out in columns.

    :param rows: with the same names in the same order.
    """
    if not rows:
        return "(no rows)"
    lines = [list(rows[0]), *([_visible(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _visible(value: Any) -> str:
    return "" if value is None else str(value).translate({9: "\\t", 10: "\\n", 13: "\\r"})


def end_on_signals() -> None:
    """Let a closed terminal and a polite end run the clean-up, as Ctrl-C does, which a shell's background ignores."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
