"""Waiting for an answer, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, answer: Coroutine[Any, Any, T]) -> T:
    """Wait for an answer.

    ``asyncio.wait_for`` loses a cancellation that comes in the same moment as the answer, before Python 3.12: a watcher
    that Airflow ends would then go on for ever.

    :param seconds: to wait.
    :param answer: what is waited for. It is cancelled when the time is up, and when the waiting is cancelled.
    :raises asyncio.TimeoutError: when the time is up.
    """
    task = asyncio.ensure_future(answer)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise asyncio.TimeoutError
    return task.result()
