"""What a conversation with an org comes to, in numbers, for who watches many of them."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Takes numbers, from any thread."""

    def count(self, name: str, amount: int = 1, **tags: str) -> None:
        """Add to a counter.

        :param name: of the counter, e.g. ``api_calls``.
        :param amount: how many more there are.
        :param tags: what the number is about.
        """

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Set a value that goes up and down.

        :param name: of the value, e.g. ``api_calls_left``.
        :param value: what it is now.
        :param tags: what the number is about.
        """


class Unmetered:
    """Where nobody watches."""

    def count(self, name: str, amount: int = 1, **tags: str) -> None:
        """Do nothing."""

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Do nothing."""
