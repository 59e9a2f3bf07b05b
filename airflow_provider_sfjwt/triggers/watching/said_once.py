"""Warnings that a watcher gives once, however often it meets the same fault: it runs for months."""

from __future__ import annotations

from typing import Any


class SaidOnce:
    """Says what is wrong when it begins, and when it is over.

    :param log: where to.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._said: dict[str, str] = {}

    def wrong(self, subject: str, reason: str, then: str) -> None:
        """Say what is wrong, unless that was said already.

        :param subject: what has the fault, e.g. an asset.
        :param reason: what is wrong, and what to change.
        :param then: what happens now.
        """
        if self._said.get(subject) != reason:
            self._said[subject] = reason
            self._log.warning("%s: %s %s", subject, reason, then)

    def right(self, subject: str) -> None:
        """Say that it is over, where something was wrong.

        :param subject: what had the fault.
        """
        if self._said.pop(subject, None) is not None:
            self._log.info("%s: it works again", subject)
