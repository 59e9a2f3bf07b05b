"""Conditions of sensors, in a module that every process can import."""

from __future__ import annotations

from typing import Any


def is_closed(row: dict[str, Any]) -> bool:
    """Whether an account's name begins with Closed."""
    return str(row["Name"]).startswith("Closed")


NOT_A_FUNCTION = "closed"
