"""Bulk API 2.0 ingest: jobs that are created, filled, closed and waited for, and what is never sent twice."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_sfjwt.api import bulk_ingest
from airflow_provider_sfjwt.api.bulk_ingest import IngestOrder
from airflow_provider_sfjwt.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.api.session import Session
from airflow_provider_sfjwt.exceptions import (
    ApiError,
    BulkJobTimeoutError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
    TransportError,
)
from airflow_provider_sfjwt.wire.flow import Body, Response
from tests.api.scripted import DEAD_SESSION, LOST, UNSENT, Script, ok, refusal

ORDER = IngestOrder("Account", "insert")
CSV = b"Name\nAcme\n"
CLOSE, ABORT = b'{"state": "UploadComplete"}', b'{"state": "Aborted"}'
PAST_IT = refusal(400, "INVALIDJOBSTATE", "Closing already Completed Job not allowed")
PAGE = Response(503, {"content-type": "text/html"}, b"<html><title>away</title></html>")
NOT_NOW = refusal(503, "SERVER_UNAVAILABLE")
GONE = refusal(404, "NOT_FOUND")
STORED = Response(201, {})


def ref(number: int = 1) -> JobRef:
    return JobRef(f"750{number}", "60.0", "ingest")


def said(state: str = "Open", number: int = 1, **info: Any) -> Response:
    return ok({"id": f"750{number}", "object": "Account", "state": state, **info})


def source() -> io.BytesIO:
    return io.BytesIO(CSV)


def upload(session: Session, script: Script) -> None:
    script.run(bulk_ingest.upload(session, ref(), source))


def test_a_job_takes_csv_with_commas_and_line_feeds(session: Session) -> None:
    script = Script(said())
    job = script.run(bulk_ingest.create_ingest_job(session, IngestOrder("Lead", "upsert", "Key__c", "01Q1")))
    assert job.ref == JobRef("7501", "66.0", "ingest")
    assert script.paths == ["POST /services/data/v66.0/jobs/ingest"]
    assert json.loads(script.requests[0].body or b"") == {
        "object": "Lead",
        "operation": "upsert",
        "externalIdFieldName": "Key__c",
        "assignmentRuleId": "01Q1",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }


def test_what_is_not_wanted_is_not_named(session: Session) -> None:
    script = Script(said())
    script.run(bulk_ingest.create_ingest_job(session, ORDER))
    body = json.loads(script.requests[0].body or b"")
    assert "externalIdFieldName" not in body
    assert "assignmentRuleId" not in body


def test_a_job_whose_creation_got_lost_is_created_again(session: Session) -> None:
    script = Script(LOST, PAGE, said(number=3))
    assert script.run(bulk_ingest.create_ingest_job(session, ORDER)).ref.id == "7503"


def test_the_recorded_job_is_understood(session: Session, recording: Any) -> None:
    script = Script(ok(recording("bulk2/ingest_job_create_open.v60.json")))
    assert script.run(bulk_ingest.create_ingest_job(session, ORDER)).state == "Open"


def test_who_may_not_delete_for_good_is_told_what_to_change(session: Session) -> None:
    refused = refusal(400, "FEATURENOTENABLED", "hardDelete operation requires special user profile permission")
    with pytest.raises(ConfigurationError, match="Bulk API Hard Delete") as caught:
        Script(refused).run(bulk_ingest.create_ingest_job(session, IngestOrder("Account", "hardDelete")))
    assert list(caught.value.fields) == ["operation"]
    with pytest.raises(ApiError, match="FEATURENOTENABLED"):
        Script(refused).run(bulk_ingest.create_ingest_job(session, ORDER))
    with pytest.raises(ApiError, match="INVALIDJOB"):
        Script(refusal(400, "INVALIDJOB")).run(
            bulk_ingest.create_ingest_job(session, IngestOrder("Account", "hardDelete"))
        )


def test_data_is_sent_as_csv_in_the_jobs_version(session: Session) -> None:
    script = Script(STORED)
    upload(session, script)
    assert script.paths == ["PUT /services/data/v60.0/jobs/ingest/7501/batches"]
    assert script.requests[0].headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert script.uploads == [CSV]


@pytest.mark.parametrize("untaken", [UNSENT, NOT_NOW, refusal(429, "TOO_MANY"), DEAD_SESSION])
def test_data_that_was_surely_not_taken_is_sent_again(session: Session, untaken: Any) -> None:
    script = Script(untaken, STORED)
    upload(session, script)
    assert script.uploads == [CSV, CSV]


@pytest.mark.parametrize(
    "unclear", [LOST, PAGE, Response(500, {}), Response(502, {}), Response(504, {}), Response(406, {})]
)
def test_data_that_may_have_been_taken_is_not_sent_again(session: Session, unclear: Any) -> None:
    script = Script(unclear)
    with pytest.raises(TransportError) as caught:
        upload(session, script)
    assert (caught.value.request_was_sent, script.uploads) == (True, [CSV])


def test_a_job_that_holds_data_after_an_attempt_that_failed_is_unclear(session: Session) -> None:
    script = Script(NOT_NOW, refusal(400, "INVALIDJOB", "Found multipe contents for job: <7501>"))
    with pytest.raises(TransportError, match="not known which data job 7501 holds") as caught:
        upload(session, script)
    assert caught.value.request_was_sent


@pytest.mark.parametrize("refused", [PAST_IT, refusal(413, "CLIENTINPUTERROR"), Response(413, {}), GONE])
def test_data_that_was_refused_is_an_error(session: Session, refused: Response) -> None:
    with pytest.raises(ApiError) as caught:
        upload(session, Script(refused))
    assert caught.value.status == refused.status


def test_data_that_cannot_leave_was_not_sent(session: Session) -> None:
    with pytest.raises(TransportError) as caught:
        upload(session, Script(UNSENT, UNSENT, UNSENT))
    assert not caught.value.request_was_sent


def fill(session: Session, *answers: Any) -> tuple[Job, Script, list[str]]:
    script, created = Script(*answers), list[str]()
    job = script.run(bulk_ingest.fill_job(session, ORDER, source, on_created=lambda made: created.append(made.ref.id)))
    return job, script, created


def test_a_job_is_filled(session: Session) -> None:
    job, script, created = fill(session, said(), STORED)
    assert (job.ref.id, created, script.slept) == ("7501", ["7501"], [])
    assert Script(said(), STORED).run(bulk_ingest.fill_job(session, ORDER, source)).state == "Open"


def test_a_job_whose_upload_got_lost_is_aborted_before_another_is_made(session: Session) -> None:
    job, script, created = fill(session, said(), LOST, said("Aborted"), said("Aborted"), said(number=2), STORED)
    assert (job.ref.id, created, script.slept) == ("7502", ["7501", "7502"], [1])
    assert [path.split("/")[0] + path.rpartition("/")[2] for path in script.paths] == [
        "POST ingest", "PUT batches", "PATCH 7501", "GET 7501", "POST ingest", "PUT batches",
    ]  # fmt: skip
    assert script.requests[2].body == ABORT


def test_a_job_that_cannot_be_aborted_is_not_replaced(session: Session) -> None:
    created: list[str] = []
    script = Script(said(), LOST, refusal(403, "REQUEST_LIMIT_EXCEEDED"))
    with pytest.raises(ApiError, match="REQUEST_LIMIT_EXCEEDED"):
        script.run(bulk_ingest.fill_job(session, ORDER, source, on_created=lambda job: created.append(job.ref.id)))
    assert created == ["7501"]


def test_data_that_gets_lost_each_time_is_an_error_with_all_jobs_aborted(session: Session) -> None:
    lost = [[said(number=each), LOST, said("Aborted", each), said("Aborted", each)] for each in (1, 2, 3)]
    script = Script(*(answer for each in lost for answer in each))
    with pytest.raises(TransportError):
        script.run(bulk_ingest.fill_job(session, ORDER, source))
    assert [each.body for each in script.requests].count(ABORT) == 3
    assert script.slept == [1, 2]


def test_data_that_never_left_leaves_an_empty_job(session: Session) -> None:
    script = Script(said(), UNSENT, UNSENT, UNSENT)
    with pytest.raises(TransportError):
        script.run(bulk_ingest.fill_job(session, ORDER, source))


def close(session: Session, *answers: Any) -> tuple[Job, Script]:
    script = Script(*answers)
    return script.run(bulk_ingest.close_job(session, ref())), script


def test_a_job_is_closed(session: Session) -> None:
    job, script = close(session, said("UploadComplete"))
    assert (job.ref, job.state) == (ref(), "UploadComplete")
    assert script.paths == ["PATCH /services/data/v60.0/jobs/ingest/7501"]
    assert script.requests[0].body == CLOSE


def test_the_recorded_answer_to_closing_is_understood(session: Session, recording: Any) -> None:
    assert close(session, ok(recording("bulk2/ingest_patch_uploadcomplete_response.v60.json")))[0].state


@pytest.mark.parametrize("unclear", [LOST, Response(500, {}), Response(204, {}), ok(b"<html>"), PAST_IT])
@pytest.mark.parametrize("state", ["UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"])
def test_a_job_that_may_be_closed_is_looked_up_and_not_closed_again(session: Session, unclear: Any, state: str) -> None:
    job, script = close(session, unclear, said(state))
    assert (job.state, [each.method for each in script.requests]) == (state, ["PATCH", "GET"])


@pytest.mark.parametrize("unclear", [LOST, Response(500, {}), ok(b"<html>"), PAST_IT])
def test_a_job_that_is_still_open_is_closed_again(session: Session, unclear: Any) -> None:
    job, script = close(session, unclear, said("Open"), said("UploadComplete"))
    assert (job.state, script.slept) == ("UploadComplete", [1])
    assert [each.body for each in script.requests] == [CLOSE, None, CLOSE]


def test_a_job_that_stays_open_ends_in_the_last_error(session: Session) -> None:
    with pytest.raises(TransportError):
        close(session, PAST_IT, said(), Response(500, {}), said(), LOST, said())


@pytest.mark.parametrize("refused", [GONE, refusal(400, "INVALIDJOB", "Found multipe contents"), refusal(403, "X")])
def test_another_refusal_to_close_is_an_error(session: Session, refused: Response) -> None:
    with pytest.raises(ApiError):
        close(session, refused)


def retire(session: Session, *answers: Any) -> tuple[Job | None, Script]:
    script = Script(*answers)
    return script.run(bulk_ingest.retire_job(session, ref())), script


@pytest.mark.parametrize("unclear", [said("Aborted"), LOST, Response(500, {}), ok(b"<html>"), PAST_IT])
@pytest.mark.parametrize("state", ["Aborted", "JobComplete", "Failed"])
def test_a_job_that_loads_nothing_more_says_how_it_ended(session: Session, unclear: Any, state: str) -> None:
    job, script = retire(session, unclear, said(state, numberRecordsProcessed=5))
    assert job is not None
    assert (job.state, job.records_processed) == (state, 5)
    assert script.requests[0].body == ABORT


@pytest.mark.parametrize("answers", [[GONE], [LOST, GONE]])
def test_a_job_that_is_gone_loads_nothing_more(session: Session, answers: Sequence[Any]) -> None:
    assert retire(session, *answers)[0] is None


def test_a_job_that_goes_on_is_aborted_again(session: Session) -> None:
    job, script = retire(session, LOST, said("Open"), said("Aborted"), said("InProgress"), PAST_IT, said("Aborted"))
    assert job is not None
    assert (job.state, script.slept) == ("Aborted", [1, 2])


def test_a_job_that_does_not_end_is_an_error_that_may_pass(session: Session) -> None:
    with pytest.raises(ProtocolError, match="job 7501 was aborted and is still InProgress") as caught:
        retire(session, *3 * [LOST, said("InProgress")])
    assert caught.value.retryable


def test_another_refusal_to_abort_is_an_error(session: Session) -> None:
    with pytest.raises(ApiError, match="INVALIDUSER"):
        retire(session, refusal(400, "INVALIDUSER"))


class Jobs:
    """Salesforce's side of some jobs: each ends at a look of its own."""

    def __init__(self, looks: Sequence[int], states: Sequence[str] = ()) -> None:
        self.looks = dict(enumerate(looks, 1))
        self.states = dict(enumerate(states or ["Open"] * len(looks), 1))
        self.log: list[str] = []
        self.at_once = 0

    def answer(self, method: str, number: int) -> Response:
        self.log.append(f"{method} {number}")
        state = self.states[number]
        if method == "PATCH":
            if state != "Open":
                return PAST_IT
            state = "UploadComplete"
        elif state in ("UploadComplete", "InProgress"):
            self.looks[number] -= 1
            state = "InProgress" if self.looks[number] else "JobComplete"
        self.states[number] = state
        self.at_once = max(self.at_once, [*self.states.values()].count("UploadComplete"), self._running())
        return said(state, number)

    def _running(self) -> int:
        return sum(state in ("UploadComplete", "InProgress") for state in self.states.values())


class Driver(Script):
    """Carries a flow to these jobs, and lets its time pass."""

    def __init__(self, jobs: Jobs, seconds: float = 1e9) -> None:
        super().__init__()
        self.jobs, self.seconds = jobs, seconds

    def _answer(self, request: Any) -> Any:
        self.requests.append(request)
        return self.jobs.answer(request.method, int(request.url.rpartition("750")[2]))

    def remaining(self) -> float:
        return self.seconds - sum(self.slept)


def run(session: Session, driver: Driver, *, parallel_jobs: int = 2, **options: Any) -> list[Job]:
    refs = [ref(number) for number in driver.jobs.states]
    options = {"poll_interval": 30.0, "remaining": driver.remaining, **options}
    return driver.run(bulk_ingest.run_jobs(session, refs, parallel_jobs=parallel_jobs, **options))


@pytest.mark.parametrize("parallel_jobs", [1, 2, 3, 7])
def test_only_some_jobs_are_processed_at_once_and_all_end(session: Session, parallel_jobs: int) -> None:
    jobs = Jobs([3, 1, 2, 5, 1])
    told: list[str] = []
    ended = run(session, Driver(jobs), parallel_jobs=parallel_jobs, on_progress=lambda job: told.append(job.ref.id))
    assert [job.ref for job in ended] == [ref(number) for number in range(1, 6)]
    assert {job.state for job in ended} == {"JobComplete"}
    assert jobs.at_once == min(parallel_jobs, 5)
    assert [line for line in jobs.log if line.startswith("PATCH")] == [f"PATCH {number}" for number in range(1, 6)]
    assert len(told) == len(jobs.log) == 5 + 12


def test_no_jobs_are_no_work(session: Session) -> None:
    assert run(session, Driver(Jobs([]))) == []


def test_a_job_is_looked_at_less_often_the_longer_it_takes(session: Session) -> None:
    driver = Driver(Jobs([7]))
    run(session, driver, poll_interval=4.0)
    assert driver.slept == [1, 1.5, 2.25, 3.375, 4, 4, 4]


def test_each_job_is_looked_at_in_its_own_time(session: Session) -> None:
    driver = Driver(Jobs([4, 1, 2]))
    run(session, driver)
    # 1: at 1, 2.5, 4.75, 8.125. 2: at 1. 3 is closed at 1, looked at at 2 and 3.5.
    assert driver.slept == [1, 1, 0.5, 1, 1.25, 3.375]
    assert driver.jobs.log == [
        "PATCH 1", "PATCH 2", "GET 1", "GET 2", "PATCH 3", "GET 3", "GET 1", "GET 3", "GET 1", "GET 1",
    ]  # fmt: skip


def test_no_pause_is_no_endless_loop(session: Session) -> None:
    driver = Driver(Jobs([3, 3]))
    run(session, driver, poll_interval=0.0)
    assert driver.slept == [0, 0, 0]


def test_jobs_in_any_state_are_taken_up(session: Session) -> None:
    jobs = Jobs([1, 1, 2, 1, 1], ["JobComplete", "Aborted", "InProgress", "Failed", "Open"])
    ended = run(session, Driver(jobs), parallel_jobs=1)
    assert [job.state for job in ended] == ["JobComplete", "Aborted", "JobComplete", "Failed", "JobComplete"]
    assert jobs.log[-2:] == ["PATCH 5", "GET 5"]


def test_when_time_is_up_all_are_looked_at_once_more_and_the_rest_is_named(session: Session) -> None:
    driver = Driver(Jobs([2, 9, 9, 9]), seconds=3)
    with pytest.raises(BulkJobTimeoutError, match="3 of 4 jobs have not ended.*7502, 7503, 7504; job 7502") as caught:
        run(session, driver)
    assert caught.value.retryable
    assert caught.value.job["id"] == "7502"
    assert caught.value.job["ids"] == ["7502", "7503", "7504"]
    assert driver.slept == [1, 1.5, 0.5]
    assert driver.jobs.log[-2:] == ["GET 2", "GET 3"]
    assert driver.jobs.states[4] == "Open"


def test_the_last_look_may_still_find_the_end(session: Session) -> None:
    driver = Driver(Jobs([2]), seconds=1.2)
    assert run(session, driver)[0].state == "JobComplete"
    assert sum(driver.slept) == pytest.approx(1.2)


def test_no_job_is_begun_when_time_is_up(session: Session) -> None:
    jobs = Jobs([1, 1, 1], ["JobComplete", "InProgress", "Open"])
    with pytest.raises(BulkJobTimeoutError, match="1 of 3 jobs.*7503; job 7503 is still Open"):
        run(session, Driver(jobs, seconds=0))
    assert jobs.log == ["GET 1", "GET 2", "GET 3"]
    jobs = Jobs([1, 1], ["JobComplete", "InProgress"])
    assert len(run(session, Driver(jobs, seconds=0))) == 2


def test_of_many_jobs_some_are_named_and_all_are_kept(session: Session) -> None:
    with pytest.raises(BulkJobTimeoutError, match="12 of 12 jobs.*75010, …;") as caught:
        run(session, Driver(Jobs([9] * 12), seconds=0))
    assert len(caught.value.job["ids"]) == 12


def test_a_job_that_is_gone_ends_the_run(session: Session) -> None:
    script = Script(said("UploadComplete"), GONE)
    with pytest.raises(NotFoundError):
        script.run(bulk_ingest.run_jobs(session, [ref(1)], parallel_jobs=1, poll_interval=1.0, remaining=lambda: 60.0))


def read_all(body: Body) -> bytes:
    content, buffer = bytearray(), bytearray(100)
    while size := body.readinto(memoryview(buffer)):
        content += buffer[:size]
    return bytes(content)


@pytest.mark.parametrize("name", bulk_ingest.RESULT_SETS)
def test_a_result_set_goes_to_the_sink(session: Session, name: str) -> None:
    script = Script(LOST, ok(b'"sf__Id"\n', content_type="text/csv; charset=UTF-8"))
    assert script.run(bulk_ingest.result_set(session, ref(), name, read_all)) == b'"sf__Id"\n'
    assert script.paths[0] == f"GET /services/data/v60.0/jobs/ingest/7501/{name}/"
    assert script.requests[0].headers["Accept"] == "text/csv"


def test_a_result_set_without_rows_may_be_nothing(session: Session) -> None:
    assert Script(Response(204, {})).run(bulk_ingest.result_set(session, ref(), "failedResults", read_all)) == b""


def test_a_page_is_no_result_set(session: Session) -> None:
    page = ok(b"<html>", content_type="text/HTML; charset=UTF-8")
    with pytest.raises(ProtocolError, match="text/HTML; charset=UTF-8 where CSV was expected"):
        Script(page).run(bulk_ingest.result_set(session, ref(), "failedResults", read_all))
