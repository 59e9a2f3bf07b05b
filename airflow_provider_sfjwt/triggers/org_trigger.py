"""What all triggers that wait for something in an org have in common: when they fire, and how they report a failure."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sfjwt.compat import (
    AirflowException,
    AirflowRuntimeError,
    discards_task_state_on_clear,
    has_trigger_on_kill,
    settling_time,
    still_deferred,
)
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, SalesforceError

if TYPE_CHECKING:
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg

#: Seconds for which the triggers of one credential share a token. A triggerer outlives every session.
TOKEN_MAX_AGE = 1800.0
#: Seconds after the deadline for the last look, which tells whether what is waited for has ended after all.
LAST_LOOK = 10.0
#: Seconds for which a killed trigger waits until its jobs are aborted: less than ``[triggerer] on_kill_timeout``, 30.
_LONGEST_ABORT = 25.0
#: What runs beside the triggers. An event loop alone would let go of it.
_BACKGROUND: set[asyncio.Task[Any]] = set()
#: Whether this process has looked up the state of a task.
_WARM: list[bool] = []


class OrgTrigger(BaseTrigger):
    """Waits for something in an org and fires once, after success and failure alike.

    The event's ``status`` is ``timeout`` or ``error``, or a word of the trigger's own. The first two have a ``message``
    and say whether a retry helps (``retryable``); a ``timeout`` has the ``job`` that had not ended. ``api_calls`` is
    what the waiting cost.

    The constructors of all triggers take arguments that they do not know: Airflow ends the whole triggerer when one
    raises, and an older or newer release may have stored the trigger.

    :param salesforce_conn_id: the connection.
    :param api_version: the version to ask in, or None for the connection's.
    :param poll_interval: seconds between two looks at most.
    :param deadline: seconds since the epoch at which the waiting ends, or None. It lives here and not in
        ``defer(timeout=)``, which loses what the task knew.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    """

    #: Whether a cleared task picks its jobs up again wherever it can.
    jobs_outlive_clear = True

    def __init__(
        self,
        salesforce_conn_id: str,
        *,
        api_version: str | None = None,
        poll_interval: float,
        deadline: float | None,
        not_before: float | None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before
        #: Seconds after the deadline within which the last answer must come.
        self.last_look = LAST_LOOK
        self._fired = False

    @abstractmethod
    async def ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Wait.

        :param org: where for.
        :return: of the event, what is this trigger's own.
        """

    @abstractmethod
    def own_arguments(self) -> dict[str, Any]:
        """The arguments that only this kind of trigger has, as they are stored."""

    def unended(self) -> dict[str, Any]:
        """What a timeout says of what has not ended, where Salesforce's last answer did not come."""
        return {}

    def event(self, ending: dict[str, Any]) -> dict[str, Any]:
        """The event's payload.

        :param ending: what came of the waiting.
        """
        return ending

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored while the task is deferred: ids, numbers and times."""
        arguments = {
            "salesforce_conn_id": self.salesforce_conn_id,
            **self.own_arguments(),
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "not_before": self.not_before,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        event = self.event(await self._wait())
        if self.not_before is not None:
            # A task settles in seconds; a clock that was set back meanwhile must not make hours of them.
            await asyncio.sleep(min(max(0.0, self.not_before - time.time()), settling_time()))
        self._fired = True
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """End what nobody will fetch, since somebody ended the task. Where there is no job, that is nothing."""

    async def cleanup(self) -> None:
        """Before Airflow 3.3, which calls ``on_kill``: see to what a trigger leaves that ended before it fired."""
        if not self._fired and not has_trigger_on_kill():
            await self.on_kill()

    async def abort(self, refs: Sequence[JobRef]) -> None:
        """Abort jobs, each by itself, since somebody ended the task and nobody will fetch their results.

        Until a trigger has ended, Airflow 3.3 cancels it again with every look at its database, and ``on_kill`` too. So
        the jobs are aborted in a task of its own, which these cancellations do not reach.

        :param refs: the jobs.
        """
        aborting = _in_background(self._abort(refs))
        until = time.monotonic() + _LONGEST_ABORT
        while not aborting.done():
            try:
                await asyncio.shield(aborting)
            except asyncio.CancelledError:
                if time.monotonic() > until:
                    raise  # it goes on, and says what came of it

    async def _abort(self, refs: Sequence[JobRef]) -> None:
        from airflow_provider_sfjwt.salesforce.org.unwanted_jobs import abort_jobs, log_still_running

        try:
            if await self._is_replaced():
                for ref in refs:
                    self.log.info("Job %s goes on, since its task is still deferred", ref.id)
                return
            async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                await org.run(abort_jobs, refs, self.log)
        except (SalesforceError, AirflowException, AirflowRuntimeError) as error:  # before there was a connection
            log_still_running(refs, error, self.log)
        except asyncio.CancelledError:
            log_still_running(refs, SalesforceError("the triggerer was ended meanwhile"), self.log)
            raise

    async def _is_replaced(self) -> bool:
        """Whether another trigger waits for the jobs.

        From Airflow 3.4 on no trigger is killed because another triggerer took it. A cleared task that is deferred
        again by then waits for another job, where its memory was discarded.
        """
        forgotten = discards_task_state_on_clear() and not self.jobs_outlive_clear
        return not forgotten and await still_deferred(self)

    def remaining(self) -> float:
        """Seconds that are left; 0 or less when time is up."""
        return float("inf") if self.deadline is None else self.deadline - time.time()

    async def _wait(self) -> dict[str, Any]:
        _warm_up(self)
        # Airflow imports triggers on the event loop, so they are light. What they need takes a tenth of a second.
        await asyncio.to_thread(import_module, "airflow_provider_sfjwt.hooks.salesforce_jwt")
        try:
            async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                try:
                    ending = await self._ending_in_time(org)
                except SalesforceError as error:
                    ending = _failure(error)
                return {**ending, "api_calls": org.session.usage.calls}
        except SalesforceError as error:  # before there was a connection
            return {**_failure(error), "api_calls": 0}

    async def _ending_in_time(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Wait; and no longer for an answer than time is left, however slowly it comes."""
        left = None if self.deadline is None else max(0.0, self.remaining()) + self.last_look
        try:
            return await asyncio.wait_for(self.ending(org), left)
        except asyncio.TimeoutError:
            message = (
                f"the time is up, and Salesforce's last answer has not come for {self.last_look:g} s. Run again later."
            )
            return {"status": "timeout", "message": message, "retryable": True, **self.unended()}

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)


def _in_background(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Let something run in a task of its own."""
    task = asyncio.create_task(work)
    _BACKGROUND.add(task)
    task.add_done_callback(_BACKGROUND.discard)
    return task


def _warm_up(trigger: OrgTrigger) -> None:
    """Look up the state of a task once in a process: the first time, Airflow imports much, for seconds."""
    if not _WARM and trigger.task_instance is not None:
        _WARM.append(True)
        _in_background(still_deferred(trigger))


def _failure(error: SalesforceError) -> dict[str, Any]:
    known = {"message": str(error), "retryable": error.retryable}
    if isinstance(error, BulkJobTimeoutError):
        return {"status": "timeout", "job": error.job, **known}
    return {"status": "error", **known}
