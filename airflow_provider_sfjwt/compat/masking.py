"""What Airflow's masker is told, in a worker and in a triggerer."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext

from airflow_provider_sfjwt.compat import has_trigger_on_kill
from airflow_provider_sfjwt.compat.variables import one_message_at_a_time

_SHORTEST_SECRET = 5  # the masker warns of shorter ones


def mask(*secrets: str) -> None:
    """Tell Airflow's masker in this process, and in the one that writes the log.

    :param secrets: what to mask. Airflow masks nothing under five characters.
    """
    from airflow.sdk.log import mask_secret

    with _one_message():
        mask_secret([secret for secret in secrets if len(secret) >= _SHORTEST_SECRET])


async def amask(*secrets: str) -> None:
    """The same from an event loop, which it does not hold up where Airflow can be told from a thread: since 3.3.

    Airflow compiles one pattern of all secrets that a process has seen, anew with each: 0.2 s after 200 tokens, in a
    triggerer that has run for some days.

    :param secrets: what to mask.
    """
    if _may_be_told_from_a_thread():
        await asyncio.to_thread(mask, *secrets)
    else:
        mask(*secrets)


def _may_be_told_from_a_thread() -> bool:
    """Whether a thread may tell it while the event loop waits: since 3.3, with the kills of triggers."""
    return has_trigger_on_kill()


def _one_message() -> AbstractContextManager[object]:
    """Keeps the threads of a worker from sending to its supervisor at once, which Airflow cannot do before 3.2.

    Never on an event loop: a trigger that waits for its answer lets others run on the same thread. They would wait for
    the lock, and the whole triggerer with them.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return one_message_at_a_time
    return nullcontext()
