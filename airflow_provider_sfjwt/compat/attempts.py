"""The attempts of a task instance, and their order."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple


class TaskAttempt(NamedTuple):
    """The place of an attempt among those of its task instance.

    :param try_number: grows with each retry and each Clear, and stays the same over a deferral.
    :param max_tries: how many there may be. A retry leaves it as it is; a Clear raises it.
    :param id: a UUID of version 7, which begins with the time at which Airflow made the attempt; empty where it is not
        known.
    """

    try_number: int
    max_tries: int
    id: str = ""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TaskAttempt:
        """Read what ``_asdict`` gave.

        :param content: decoded; what it lacks was not known.
        """
        return cls(
            int(content.get("try_number") or 0), int(content.get("max_tries") or 0), str(content.get("id") or "")
        )

    def is_of_a_new_run(self, known: TaskAttempt) -> bool:
        """Whether the run of another attempt was deleted, and this one's made under the same id.

        Within one run, an attempt that is made later has a higher number.

        :param known: the other attempt of a task instance that has the same ids.
        """
        made, known_made = _made_at(self.id), _made_at(known.id)
        later = made is not None and known_made is not None and made > known_made
        return later and self.try_number <= known.try_number


def _made_at(attempt_id: str) -> int | None:
    """When Airflow made an attempt, as a number to compare; None where its id does not say."""
    try:
        number = uuid.UUID(attempt_id)
    except ValueError:
        return None
    return number.int if number.version == 7 else None


def task_attempt(context: Mapping[str, Any]) -> TaskAttempt | None:
    """Which attempt runs.

    :param context: Airflow's.
    :return: None outside a task run.
    """
    instance = context.get("ti")
    try_number, max_tries = getattr(instance, "try_number", None), getattr(instance, "max_tries", None)
    if not isinstance(try_number, int) or not isinstance(max_tries, int):
        return None
    return TaskAttempt(try_number, max_tries, str(getattr(instance, "id", "")))
