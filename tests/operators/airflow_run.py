"""What Airflow does around an operator, small enough to see through."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import Any

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred  # type: ignore


class StateStore:
    """A state store in memory, as the context offers it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        if value is None:
            raise ValueError("Cannot set value as None")
        if json.loads(json.dumps(value)) != value:
            raise TypeError(f"Airflow's store takes JSON alone: {value}")
        self.values[key] = value

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


def rebuilt(trigger: Any) -> Any:
    """The trigger as a triggerer makes it from what was stored."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**arguments)


def event_of(trigger: Any) -> Any:
    """The payload of a trigger's one event."""

    async def first() -> Any:
        return [event.payload async for event in rebuilt(trigger).run()][0]

    return asyncio.run(first())


def run_to_end(operator: Any, context: dict[str, Any]) -> Any:
    """Run a task, in the triggerer wherever it defers."""
    step, arguments = operator.execute, {}
    while True:
        try:
            return step(context, **arguments)
        except TaskDeferred as deferred:
            arguments = {"event": event_of(deferred.trigger), **(deferred.kwargs or {})}
            step = getattr(operator, deferred.method_name)
