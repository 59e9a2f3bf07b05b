"""What an attempt of an extract task does next: a table of every situation that it can be in."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """Why the attempt has to decide."""

    BEGINS = "the attempt begins"
    WAITED = "the waiting for the job is over"
    TIMED_OUT = "the time for the job is up"


class Remembered(Enum):
    """The job that the task remembers."""

    NOTHING = "no job"
    OTHER = "a job for something that the task no longer asks for"
    EARLIER = "an earlier attempt's job for what the task asks for"
    OWN = "the job that this attempt created"


class Found(Enum):
    """What Salesforce says of that job."""

    NOT_ASKED = "not asked"
    RUNNING = "the job has not ended"
    COMPLETE = "JobComplete"
    LOST = "Failed or Aborted"
    GONE = "there is no such job"


class Step(Enum):
    """What the attempt does."""

    CREATE = "ask Salesforce for the rows"
    WAIT = "wait for the job, in the triggerer where the task is deferrable"
    PUBLISH = "fetch the job's rows, prove them, publish them"
    ABANDON = "abort the job, forget it, and begin again without one"
    FAIL = "raise what happened to the job"
    GIVE_UP = "end the attempt; a retry comes back to the job"


STEPS: dict[tuple[Why, Remembered, Found], Step] = {
    (Why.BEGINS, Remembered.NOTHING, Found.NOT_ASKED): Step.CREATE,
    (Why.BEGINS, Remembered.OTHER, Found.NOT_ASKED): Step.ABANDON,
    (Why.BEGINS, Remembered.EARLIER, Found.RUNNING): Step.WAIT,
    (Why.BEGINS, Remembered.EARLIER, Found.COMPLETE): Step.WAIT,  # which is over at the first look
    (Why.BEGINS, Remembered.EARLIER, Found.LOST): Step.CREATE,
    (Why.BEGINS, Remembered.EARLIER, Found.GONE): Step.CREATE,
    # Only a deferred task can have changed, or forgotten its job, while it waited.
    (Why.WAITED, Remembered.NOTHING, Found.NOT_ASKED): Step.ABANDON,
    (Why.WAITED, Remembered.OTHER, Found.NOT_ASKED): Step.ABANDON,
    (Why.WAITED, Remembered.OWN, Found.RUNNING): Step.GIVE_UP,  # the triggerer could not go on
    (Why.WAITED, Remembered.OWN, Found.COMPLETE): Step.PUBLISH,
    (Why.WAITED, Remembered.OWN, Found.LOST): Step.FAIL,
    (Why.WAITED, Remembered.OWN, Found.GONE): Step.FAIL,
    (Why.WAITED, Remembered.EARLIER, Found.RUNNING): Step.GIVE_UP,
    (Why.WAITED, Remembered.EARLIER, Found.COMPLETE): Step.PUBLISH,
    # Clearing a deferred task starts the new attempt before the old trigger aborts the job.
    (Why.WAITED, Remembered.EARLIER, Found.LOST): Step.CREATE,
    (Why.WAITED, Remembered.EARLIER, Found.GONE): Step.CREATE,
    (Why.TIMED_OUT, Remembered.NOTHING, Found.NOT_ASKED): Step.ABANDON,
    (Why.TIMED_OUT, Remembered.OTHER, Found.NOT_ASKED): Step.ABANDON,
    (Why.TIMED_OUT, Remembered.OWN, Found.NOT_ASKED): Step.GIVE_UP,
    (Why.TIMED_OUT, Remembered.EARLIER, Found.NOT_ASKED): Step.GIVE_UP,
}
