"""A Bulk API 2.0 job: its states, waiting for its end, and ending it early.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_job_states.htm
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    BulkJobAbortedError,
    BulkJobFailedError,
    BulkJobTimeoutError,
    NotFoundError,
    ProtocolError,
)
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

#: Whether a job in this state has ended. A state that is not here is an error, never a guess.
_ENDED = {
    "Open": False,
    "UploadComplete": False,
    "InProgress": False,
    "JobComplete": True,
    "Failed": True,
    "Aborted": True,
}
#: Page of Salesforce Setup that lists the jobs.
JOBS = "Bulk Data Load Jobs"
SEE_THE_JOB = f"See Setup → {JOBS}."
_Cause = Literal["timeout", "passing", "final"]
#: Codes in the reason of a failed job: the query took too long; or Salesforce failed for the moment.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_reference_errors.htm
_TIMEOUTS = frozenset({"QUERY_TIMEOUT", "Timeout", "REQUEST_RUNNING_TOO_LONG"})
_PASSING = frozenset(
    {
        "InternalServerError", "SERVER_UNAVAILABLE", "SERVICE_UNAVAILABLE", "UNKNOWN_EXCEPTION", "Unknown",
        "UnknownError", "UNABLE_TO_LOCK_ROW", "TooManyLockFailure", "INVALID_QUERY_LOCATOR", "REQUEST_LIMIT_EXCEEDED",
        "ExceededQuota", "LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR", "EXTERNAL_OBJECT_CONNECTION_EXCEPTION",
    }
)  # fmt: skip
#: How many parts of a reason, between its colons, may be codes: the text of an error follows them.
_CODES_AT_MOST = 4
#: How to split a query that takes too long.
SPLIT_THE_QUERY = (
    "Split the query: extract one window after another (window, or incremental='data_interval' with a shorter "
    "interval), filter by an indexed field (where), or name fewer fields, formulas first."
)
#: What to do about a failed job, and whether a new job may succeed.
_REMEDIES: dict[_Cause, tuple[str, bool]] = {
    "timeout": (f"A new job may succeed. If it does not: {SPLIT_THE_QUERY}", True),
    "passing": ("Salesforce failed for the moment; a new job may succeed.", True),
    "final": ("Correct what the reason names; a query that ran too long needs a narrower filter.", False),
}
#: Seconds until the first look at a job; each further look comes half as much later again, up to the poll interval.
FIRST_LOOK = 1.0
SLOWER = 1.5
#: By how much of it a pause may be shorter.
_SPREAD = 0.25


@dataclass(frozen=True)
class JobRef:
    """Enough to find a job again.

    :param id: the job's id.
    :param api_version: the version it was created in. Its results are refused in any other.
    :param kind: ``query`` or ``ingest``.
    """

    id: str
    api_version: str
    kind: str = "query"

    @property
    def resource(self) -> str:
        """The job's REST resource."""
        return f"jobs/{self.kind}/{self.id}"


@dataclass(frozen=True)
class Job:
    """What Salesforce said of a job.

    :param ref: enough to find it again.
    :param state: one of the documented states.
    :param info: the whole answer.
    """

    ref: JobRef
    state: str
    info: dict[str, Any] = field(repr=False)

    @property
    def ended(self) -> bool:
        """Whether the job has come to an end, good or bad."""
        return _ENDED[self.state]

    @property
    def records_processed(self) -> int | None:
        """How many records Salesforce says it processed, or None while it does not say."""
        count = self.info.get("numberRecordsProcessed")
        return count if isinstance(count, int) else None


def decode_job(answer: Any, ref: JobRef | None = None, *, kind: str = "query", api_version: str = "") -> Job:
    """Read what Salesforce says of a job.

    :param answer: the decoded JSON.
    :param ref: the job that was asked for, or None when it was created just now.
    :param kind: of a new job, ``query`` or ``ingest``.
    :param api_version: of a new job.
    :raises ProtocolError: when it has no id or is in an unknown state.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise ProtocolError("Salesforce's answer about a Bulk API 2.0 job has no job id")
    ref = ref or JobRef(answer["id"], api_version, kind)
    state = answer.get("state")
    if not isinstance(state, str) or state not in _ENDED:
        raise ProtocolError(
            f"job {ref.id} is in the state {state!r}, which is not one of {', '.join(_ENDED)}",
            remedy=SEE_THE_JOB,
            setup_page=JOBS,
        )
    return Job(ref, state, answer)


def get_job(session: Session, ref: JobRef) -> Flow[Job]:
    """Ask how a job is getting on.

    :param session: the conversation.
    :param ref: the job.
    :raises NotFoundError: when the job was deleted, purged (7 days after its end) or is another user's.
    """
    answer = yield from session.json("GET", ref.resource, api_version=ref.api_version, on_reserve=True)
    return decode_job(answer, ref)


def wait_for_job(
    session: Session,
    ref: JobRef,
    *,
    poll_interval: float,
    remaining: Callable[[], float],
    on_progress: Callable[[Job], None] | None = None,
    jitter: Callable[[], float] = random.random,
) -> Flow[Job]:
    """Wait until a job has ended.

    :param session: the conversation.
    :param ref: the job.
    :param poll_interval: seconds between two looks at most; the first looks come sooner.
    :param remaining: the seconds that are left, at most 0 when time is up.
    :param on_progress: is called with the job at each look.
    :param jitter: gives numbers from 0 to 1, so that many who wait do not look at the same moment.
    :return: the job, which has come to an end, good or bad: :func:`completed` judges it.
    :raises BulkJobTimeoutError: when time is up. The job goes on.
    """
    delay = min(FIRST_LOOK, poll_interval)
    while True:
        job = yield from get_job(session, ref)
        if on_progress is not None:
            on_progress(job)
        if job.ended:
            return job
        left = remaining()
        if left <= 0:
            raise BulkJobTimeoutError(
                f"job {ref.id} is still {job.state} and the time for it is up",
                job=job.info,
                setup_page=JOBS,
                retryable=True,
            )
        yield from flow.pause(min(delay * (1 - _SPREAD * jitter()), left))
        delay = min(delay * SLOWER, poll_interval)


def completed(job: Job) -> Job:
    """Let a job pass that ended well.

    :param job: an ended job.
    :raises BulkJobFailedError: when it failed.
    :raises BulkJobAbortedError: when somebody aborted it.
    """
    if job.state == "Failed":
        reason = str(job.info.get("errorMessage") or "Salesforce gives no reason")
        remedy, passes = _REMEDIES[_cause(reason)]
        raise BulkJobFailedError(
            f"job {job.ref.id} on {job.info.get('object')} failed: {reason}",
            job=job.info,
            remedy=f"{remedy} {SEE_THE_JOB}",
            setup_page=JOBS,
            retryable=passes,
        )
    if job.state == "Aborted":
        raise BulkJobAbortedError(
            f"job {job.ref.id} on {job.info.get('object')} was aborted in Salesforce",
            job=job.info,
            setup_page=JOBS,
            retryable=True,
        )
    return job


def timed_out(job: Job) -> bool:
    """Whether a job failed because its query took too long.

    :param job: an ended job.
    """
    return job.state == "Failed" and _cause(str(job.info.get("errorMessage"))) == "timeout"


def too_slow(job: Job, times: int) -> BulkJobFailedError:
    """The error of a query that has timed out so often that a further job would only cost the org more.

    :param job: the last one.
    :param times: how many jobs timed out, one after another.
    """
    return BulkJobFailedError(
        f"the query of job {job.ref.id} on {job.info.get('object')} timed out {times} times: "
        f"{job.info.get('errorMessage')}",
        job=job.info,
        remedy=f"{SPLIT_THE_QUERY} {SEE_THE_JOB}",
        setup_page=JOBS,
    )


def _cause(reason: str) -> _Cause:
    """Why a job failed, by the codes that stand before the colons of Salesforce's reason, and else by its words.

    A reason may show the query, so that a word of it alone means nothing where a code is known.
    """
    codes = [code for code in map(str.strip, reason.split(":")[:_CODES_AT_MOST]) if re.fullmatch(r"\w+", code)]
    if _TIMEOUTS.intersection(codes):
        return "timeout"
    if _PASSING.intersection(codes):
        return "passing"
    if any(code.isupper() for code in codes):
        return "final"
    if re.search(r"running for too long|timed? ?out", reason, re.IGNORECASE):
        return "timeout"
    passing = r"internal server error|unexpected error|unavailable|try again|retry your request|too many lock"
    return "passing" if re.search(passing, reason, re.IGNORECASE) else "final"


def abort_job(session: Session, ref: JobRef) -> Flow[bool]:
    """Abort a job that has not ended.

    :param session: the conversation.
    :param ref: the job.
    :return: whether it was aborted; false when it had ended or is gone.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_abort_job.htm
    """
    try:
        body = {"state": "Aborted"}
        yield from session.json("PATCH", ref.resource, json_body=body, api_version=ref.api_version, on_reserve=True)
    except NotFoundError:
        return False
    except ApiError as refusal:
        if refusal.has_code("INVALIDJOBSTATE"):
            return False
        raise
    return True
