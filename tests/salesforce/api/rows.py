"""What the sinks of these tests return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Rows:
    """What the sink of these tests returns."""

    records: int
    text: bytes
