"""Bulk API 2.0 ingest: jobs that are created, filled and closed, and what is never sent twice."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    ConfigurationError,
    ProtocolError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api import bulk_ingest
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import IngestOrder
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from tests.salesforce.api.ingest_answers import GONE, PAST_IT, read_all, ref, said
from tests.salesforce.api.scripted import DEAD_SESSION, LOST, UNSENT, Script, ok, refusal

ORDER = IngestOrder("Account", "insert")
CSV = b"Name\nAcme\n"
CLOSE, ABORT = b'{"state": "UploadComplete"}', b'{"state": "Aborted"}'
PAGE = Response(503, {"content-type": "text/html"}, b"<html><title>away</title></html>")
NOT_NOW = refusal(503, "SERVER_UNAVAILABLE")
STORED = Response(201, {})


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
    with pytest.raises(TransportError, match="unknown whether the upload to job 7501 arrived") as caught:
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
