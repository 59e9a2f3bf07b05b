"""The rows of ``docs/migrating.md`` that both providers have run, as a table."""

from __future__ import annotations

import textwrap


class Table:
    """What has been run in this process."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []

    def add(self, official: str, here: str, differs: str = "") -> None:
        """Note a row whose two sides gave the same, but for what differs."""
        self._rows.append((official, here, differs))

    def __str__(self) -> str:
        lines = [f"{'official':62} here"]
        for official, here, differs in self._rows:
            lines.append(f"{official:62} {here}")
            lines += textwrap.wrap(f"but: {differs}", 110, initial_indent=" " * 4, subsequent_indent=" " * 4) * bool(
                differs
            )
        return "\n".join([*lines, f"{len(self._rows)} rows, each run with both providers"])


TABLE = Table()
