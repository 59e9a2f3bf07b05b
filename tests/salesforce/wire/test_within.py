from __future__ import annotations

import asyncio

import pytest

from airflow_provider_sfjwt.salesforce.wire.within import within


async def test_an_answer_an_error_and_a_timeout() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 1

    async def error() -> int:
        raise OSError("broken")

    ended = []

    async def silence() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return 0

    assert await within(10, answer()) == 1
    with pytest.raises(OSError, match="broken"):
        await within(10, error())
    with pytest.raises(asyncio.TimeoutError):
        await within(0.01, silence())
    assert ended == [True]


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_counts_in_the_moment_of_the_answer_too(turns: int, fails: bool) -> None:
    came: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer() -> int:
        return await came

    waiting = asyncio.create_task(within(10, answer()))
    for _ in range(4):
        await asyncio.sleep(0)
    if fails:
        came.set_exception(OSError("broken"))
    else:
        came.set_result(1)
    for _ in range(turns):
        await asyncio.sleep(0)
    was_too_late = not waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled() != was_too_late
