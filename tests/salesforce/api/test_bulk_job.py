"""A Bulk API 2.0 job: its states, the wait for its end, and ending it early."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    BulkJobAbortedError,
    BulkJobFailedError,
    BulkJobTimeoutError,
    NotFoundError,
    ProtocolError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api import bulk_job
from airflow_provider_sfjwt.salesforce.api.bulk_job import (
    Job,
    JobRef,
    abort_job,
    completed,
    decode_job,
    get_job,
    timed_out,
    too_slow,
    wait_for_job,
)
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from tests.salesforce.api.scripted import LOST, Script, ok, refusal

REF = JobRef("750ak000009AVi5AAG", "60.0")
RUNNING, ENDED = ["Open", "UploadComplete", "InProgress"], ["JobComplete", "Failed", "Aborted"]


def said(state: Any = "InProgress", **info: Any) -> Response:
    return ok({"id": REF.id, "object": "Account", "state": state, **info})


def wait(session: Session, *answers: Any, **options: Any) -> tuple[Job, Script]:
    script = Script(*answers)
    options = {"poll_interval": 30.0, "remaining": lambda: 3600.0, "jitter": lambda: 0.0, **options}
    return script.run(wait_for_job(session, REF, **options)), script


def test_many_who_wait_do_not_look_at_once(session: Session) -> None:
    shares = iter([0.0, 1.0, 0.5])
    answers = (said(), said(), said(), said("JobComplete"))
    assert wait(session, *answers, jitter=lambda: next(shares))[1].slept == [1, 1.125, 1.96875]


@pytest.mark.parametrize("state", RUNNING + ENDED)
def test_a_documented_state_is_known(state: str) -> None:
    job = decode_job({"id": REF.id, "state": state, "numberRecordsProcessed": 5}, REF)
    assert (job.state, job.ended, job.records_processed) == (state, state in ENDED, 5)


@pytest.mark.parametrize("state", ["Paused", "jobcomplete", "", None, 5, ["JobComplete"]])
def test_an_unknown_state_is_an_error_and_no_guess(state: Any) -> None:
    with pytest.raises(ProtocolError, match="not one of Open, UploadComplete, InProgress") as caught:
        decode_job({"id": REF.id, "state": state}, REF)
    assert REF.id in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"id": 5, "state": "Open"}])
def test_a_job_without_an_id_is_an_error(answer: Any) -> None:
    with pytest.raises(ProtocolError, match="no job id"):
        decode_job(answer)


@pytest.mark.parametrize("count", [None, "5", 5.0])
def test_a_count_that_is_none_is_not_guessed(count: Any) -> None:
    assert decode_job({"id": "x", "state": "Open", "numberRecordsProcessed": count}).records_processed is None


def test_a_new_job_keeps_the_version_it_was_made_in() -> None:
    job = decode_job({"id": "750x", "state": "UploadComplete"}, kind="ingest", api_version="66.0")
    assert job.ref == JobRef("750x", "66.0", "ingest")
    assert job.ref.resource == "jobs/ingest/750x"
    assert "UploadComplete" in repr(job)


def test_the_recorded_job_is_understood(recording: Any) -> None:
    job = decode_job(json.loads(recording("bulk2/query_job_create_response.v60.json")), api_version="60.0")
    assert (job.ref, job.state, job.ended, job.records_processed) == (REF, "UploadComplete", False, None)


def test_a_job_is_asked_for_in_its_own_version(session: Session) -> None:
    script = Script(said())
    assert script.run(get_job(session, REF)).ref is REF
    assert script.paths == [f"GET /services/data/v60.0/jobs/query/{REF.id}"]


@pytest.mark.parametrize("state", ENDED)
def test_the_wait_ends_with_the_job(session: Session, state: str) -> None:
    job, script = wait(session, said("UploadComplete"), said(), said(state))
    assert job.state == state
    assert script.slept == [1, 1.5]


def test_a_job_that_has_ended_is_not_waited_for(session: Session) -> None:
    assert wait(session, said("JobComplete"))[1].slept == []


def test_looks_become_rarer_up_to_the_poll_interval(session: Session) -> None:
    _, script = wait(session, *8 * [said()], said("JobComplete"), poll_interval=5.0)
    assert script.slept == [1, 1.5, 2.25, 3.375, 5, 5, 5, 5]


def test_a_short_poll_interval_counts_from_the_first_look(session: Session) -> None:
    assert wait(session, said(), said(), said("Failed"), poll_interval=0.1)[1].slept == [0.1, 0.1]


def test_the_wait_ends_with_its_time_after_a_last_look(session: Session) -> None:
    left = iter([2.0, 0.4, 0.0])
    script = Script(said(), said(), said("UploadComplete", retries=1))
    with pytest.raises(BulkJobTimeoutError, match="still UploadComplete") as caught:
        script.run(wait_for_job(session, REF, poll_interval=30.0, remaining=lambda: next(left), jitter=lambda: 0.0))
    assert script.slept == [1, 0.4]
    assert (caught.value.job["id"], caught.value.job["retries"], caught.value.retryable) == (REF.id, 1, True)


def test_a_job_that_ends_at_the_last_look_is_in_time(session: Session) -> None:
    left = iter([0.5])
    assert wait(session, said(), said("JobComplete"), remaining=lambda: next(left))[0].ended


def test_every_look_is_told(session: Session) -> None:
    told: list[str] = []
    wait(session, said("UploadComplete"), said(), said("JobComplete"), on_progress=lambda job: told.append(job.state))
    assert told == ["UploadComplete", "InProgress", "JobComplete"]


def test_a_passing_fault_does_not_end_the_wait(session: Session) -> None:
    _, script = wait(session, said(), LOST, refusal(503, "SERVER_UNAVAILABLE"), said("JobComplete"))
    assert script.slept == [1, 1, 2]
    with pytest.raises(TransportError):
        wait(session, LOST, LOST, LOST)


@pytest.mark.parametrize(
    ("answer", "error"), [(said("Paused"), ProtocolError), (refusal(404, "NOT_FOUND"), NotFoundError)]
)
def test_a_job_that_is_gone_or_odd_ends_the_wait(session: Session, answer: Response, error: type) -> None:
    with pytest.raises(error):
        wait(session, said(), answer)


def test_a_job_that_ended_well_passes() -> None:
    job = Job(REF, "JobComplete", {})
    assert completed(job) is job


def test_a_failed_job_is_told_with_salesforces_reason() -> None:
    job = Job(REF, "Failed", {"id": REF.id, "object": "Account", "errorMessage": "InvalidBatch : No such column"})
    with pytest.raises(BulkJobFailedError, match=f"job {REF.id} on Account failed: InvalidBatch : No such") as caught:
        completed(job)
    assert (caught.value.job, caught.value.retryable) == (job.info, False)
    with pytest.raises(BulkJobFailedError, match="gives no reason"):
        completed(Job(REF, "Failed", {}))


def test_an_aborted_job_may_be_run_anew() -> None:
    with pytest.raises(BulkJobAbortedError, match="was aborted in Salesforce") as caught:
        completed(Job(REF, "Aborted", {"id": REF.id}))
    assert caught.value.retryable


def test_a_job_is_aborted_in_its_own_version(session: Session) -> None:
    script = Script(said("Aborted"))
    assert script.run(abort_job(session, REF)) is True
    assert script.paths == [f"PATCH /services/data/v60.0/jobs/query/{REF.id}"]
    assert script.requests[0].body == b'{"state": "Aborted"}'


@pytest.mark.parametrize("answer", [refusal(404, "NOT_FOUND"), refusal(400, "INVALIDJOBSTATE", "already Completed")])
def test_a_job_that_has_ended_or_is_gone_is_not_aborted(session: Session, answer: Response) -> None:
    assert Script(answer).run(abort_job(session, REF)) is False


def test_another_refusal_to_abort_is_an_error(session: Session) -> None:
    with pytest.raises(ApiError, match="INVALIDUSER"):
        Script(refusal(400, "INVALIDUSER")).run(abort_job(session, REF))


def test_each_state_is_in_one_list() -> None:
    assert sorted(bulk_job._ENDED) == sorted(RUNNING + ENDED)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("QUERY_TIMEOUT: Your query request was running for too long.", "timeout"),
        ("InternalServerError : x: REQUEST_RUNNING_TOO_LONG", "timeout"),
        ("Your query timed out", "timeout"),
        ("ApiBatchItems Entity not found: retry your request", "passing"),
        ("SERVER_UNAVAILABLE: try again", "passing"),
        ("MALFORMED_QUERY: unexpected token: 'timed out'", "final"),
        ("No such column", "final"),
    ],
)
def test_why_a_job_failed_decides_what_happens_next(reason: str, cause: str) -> None:
    job = Job(REF, "Failed", {"id": REF.id, "object": "Account", "errorMessage": reason})
    assert timed_out(job) == (cause == "timeout")
    with pytest.raises(BulkJobFailedError) as caught:
        completed(job)
    assert caught.value.retryable == (cause != "final")


def test_a_query_that_times_out_again_and_again_is_to_be_split() -> None:
    error = too_slow(Job(REF, "Failed", {"object": "Account", "errorMessage": "QUERY_TIMEOUT: slow"}), 3)
    assert f"the query of job {REF.id} on Account timed out 3 times: QUERY_TIMEOUT: slow" in str(error)
    assert not error.retryable
