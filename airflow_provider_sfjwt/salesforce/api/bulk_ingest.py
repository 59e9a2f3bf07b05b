"""Bulk API 2.0 ingest: a job is created, filled with one upload, closed, and its rows come back in three result sets.

Nothing here sends a row a second time unless it is certain that the first time came to nothing: a job whose upload has
an unclear end is aborted before another takes its place, and an aborted job never loads what arrives late.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api.answers import OTHER_ANSWERS
from airflow_provider_sfjwt.salesforce.api.bulk_job import (
    JOBS,
    SEE_THE_JOB,
    Job,
    JobRef,
    decode_job,
    get_job,
)
from airflow_provider_sfjwt.salesforce.api.retry import may_have_been_processed
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Flow, Response, Source

T = TypeVar("T")

#: Each row of an ended job is in one of them, unless the org's daily allocation ran out.
RESULT_SETS = ("successfulResults", "failedResults", "unprocessedrecords")


@dataclass(frozen=True)
class IngestOrder:
    """What a job is to do with its rows.

    :param sobject: the object's API name.
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param external_id_field: of an upsert: the field by which records are found.
    :param assignment_rule_id: gives new leads and cases to their owners; None: no rule does.
    """

    sobject: str
    operation: str
    external_id_field: str | None = None
    assignment_rule_id: str | None = None


def create_ingest_job(session: Session, order: IngestOrder) -> Flow[Job]:
    """Create a job that waits for its data.

    The request may be repeated: a job whose creation got lost stays open and empty until Salesforce removes it.

    :param session: the conversation.
    :param order: what it is to do.
    :return: the open job. It takes CSV in UTF-8 with commas and line feeds.
    :raises ConfigurationError: when the user may not delete for good.
    :raises ApiError: when Salesforce refuses for another reason.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/create_job.htm
    """
    api_version = yield from session.api_version()
    wanted = {
        "object": order.sobject,
        "operation": order.operation,
        "externalIdFieldName": order.external_id_field,
        "assignmentRuleId": order.assignment_rule_id,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    try:
        answer = yield from session.json("POST", "jobs/ingest", json_body=body, repeatable=True)
    except ApiError as refusal:
        if order.operation == "hardDelete" and refusal.has_code("FEATURENOTENABLED"):
            raise ConfigurationError(
                {
                    "operation": "hardDelete needs the permission 'Bulk API Hard Delete'. Give it to the user by a "
                    "permission set, or use delete, which leaves the records in the recycle bin for a while"
                },
                subject="the load",
            ) from None
        raise
    return decode_job(answer, kind="ingest", api_version=api_version)


def upload(session: Session, ref: JobRef, source: Source) -> Flow[None]:
    """Send a job its data. A job takes data once.

    It is sent again only where it is certain that Salesforce has not taken it.

    :param session: the conversation.
    :param ref: an open job without data.
    :param source: opens the CSV: at most 100 MB, with a header; called anew for every attempt.
    :raises TransportError: with ``request_was_sent`` when it is not known whether the data arrived. Then the job is of
        no use: :func:`retire_job`, and create another.
    :raises ApiError: when Salesforce refuses the data.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/upload_job_data.htm
    """
    path = yield from session.path(f"{ref.resource}/batches", ref.api_version)
    try:
        yield from session.call(
            "PUT",
            path,
            headers={"Content-Type": "text/csv; charset=UTF-8"},
            source=source,
            repeatable=False,
            strict=True,
        )
    except ApiError as refusal:
        # INVALIDJOB: the job holds data already, from an attempt that seemed to have come to nothing.
        if may_have_been_processed(refusal) or refusal.has_code("INVALIDJOB"):
            raise TransportError(
                f"{refusal} It is unknown whether the upload to job {ref.id} arrived.", request_was_sent=True
            ) from None
        raise


def fill_job(
    session: Session, order: IngestOrder, source: Source, *, on_created: Callable[[Job], None] | None = None
) -> Flow[Job]:
    """Create a job and send it its data; replace it where it is not known whether the data arrived.

    :param session: the conversation.
    :param order: what the job is to do.
    :param source: opens the CSV, as :func:`upload` takes it.
    :param on_created: is called with each job before data is sent to it.
    :return: the job of the last call. It is open and holds the data; every other one is aborted.
    :raises TransportError: when the data did not get through in as many jobs as a request has attempts.
    :raises ApiError: when Salesforce refuses the job or its data.
    """
    attempt = 0
    while True:
        attempt += 1
        job = yield from create_ingest_job(session, order)
        if on_created is not None:
            on_created(job)
        try:
            yield from upload(session, job.ref, source)
            return job
        except TransportError as error:
            if not error.request_was_sent:
                raise
            yield from retire_job(session, job.ref)
            if attempt >= session.policy.attempts:
                raise
        yield from flow.pause(session.policy.delay(attempt, None))


def close_job(session: Session, ref: JobRef) -> Flow[Job]:
    """Tell Salesforce that a job's data is complete, so that it is processed. May be called again at any time.

    After an unclear end the job is looked up, and closed again only while it is open.

    :param session: the conversation.
    :param ref: a job that holds its data.
    :return: the job, in the state that it has then.
    :raises TransportError: or another error when it is not known whether the job is closed: its rows must not be sent
        in another job before :func:`retire_job` has said how it ended.
    :raises NotFoundError: when the job is gone.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/close_job.htm
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return (yield from _patch_state(session, ref, "UploadComplete"))
        except SalesforceError as error:
            # INVALIDJOBSTATE: it is closed already, perhaps by the request whose answer was lost.
            if not may_have_been_processed(error) and not _is_in_another_state(error):
                raise
            job = yield from get_job(session, ref)
            if job.state != "Open":
                return job
            if attempt >= session.policy.attempts:
                raise
        yield from flow.pause(session.policy.delay(attempt, None))


def retire_job(session: Session, ref: JobRef) -> Flow[Job | None]:
    """Make sure that a job loads nothing more, and say how it ended.

    Meant for a job that nobody closed. One that is being processed is better waited for: Salesforce does not say
    whether a batch in progress is cut off by the abortion.

    :param session: the conversation.
    :param ref: a job in any state.
    :return: the job, which has come to an end: ``Aborted``, or what it was before. What it had loaded by then stays
        loaded and is in its successful results. None when it is gone.
    :raises ProtocolError: when Salesforce does not end it: its rows must not be sent again yet.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/close_job.htm
    """
    for attempt in range(1, session.policy.attempts + 1):
        try:
            try:
                yield from _patch_state(session, ref, "Aborted")
            except SalesforceError as error:
                # INVALIDJOBSTATE: it has ended already, perhaps by the request whose answer was lost.
                if not may_have_been_processed(error) and not _is_in_another_state(error):
                    raise
            job = yield from get_job(session, ref)
        except NotFoundError:
            return None
        if job.ended:
            return job
        yield from flow.pause(session.policy.delay(attempt, None))
    raise ProtocolError(
        f"job {ref.id} was aborted and is still {job.state}: its rows are not sent again before it has ended",
        remedy=SEE_THE_JOB,
        setup_page=JOBS,
        retryable=True,
    )


def _patch_state(session: Session, ref: JobRef, state: str) -> Flow[Job]:
    answer = yield from session.json(
        "PATCH", ref.resource, json_body={"state": state}, api_version=ref.api_version, on_reserve=True
    )
    return decode_job(answer, ref)


def result_set(session: Session, ref: JobRef, name: str, sink: Callable[[Body], T]) -> Flow[T]:
    """Fetch one of the three result sets of a job that has ended.

    :param session: the conversation.
    :param ref: the job.
    :param name: one of :data:`RESULT_SETS`.
    :param sink: takes the CSV as it arrives, header first; called anew for every attempt. Nothing at all comes, not
        even a header, where Salesforce answers 204.
    :return: what the sink returned.
    :raises ProtocolError: when something else than CSV comes.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_successful_results.htm
    """
    path = yield from session.path(f"{ref.resource}/{name}/", ref.api_version)

    def take(head: Response, body: Body) -> T:
        kind = head.headers.get("content-type", "")
        if "html" in kind.lower():
            raise ProtocolError(
                f"GET {path} answered {head.status} with {kind} where CSV was expected", remedy=OTHER_ANSWERS
            )
        return sink(body)

    response = yield from session.call("GET", path, headers={"Accept": "text/csv"}, sink=take)
    result: T = response.sunk
    return result


def _is_in_another_state(error: SalesforceError) -> bool:
    return isinstance(error, ApiError) and error.has_code("INVALIDJOBSTATE")
