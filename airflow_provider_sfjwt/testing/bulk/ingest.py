"""Bulk API 2.0 ingest jobs: create, upload, close, poll, read the results.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm
"""

from __future__ import annotations

import json
import threading
from typing import Any

from airflow_provider_sfjwt.testing.bulk.batches import BatchAllocation, Load
from airflow_provider_sfjwt.testing.bulk.jobs import (
    DELIMITERS,
    LINE_ENDINGS,
    TERMINAL,
    Ending,
    Job,
    Jobs,
    bulk_moment,
    choice,
)
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.dml.save import Dml
from airflow_provider_sfjwt.testing.http.messages import (
    CSV_TYPE,
    Answer,
    RefusalError,
    Request,
    json_answer,
    not_found,
)
from airflow_provider_sfjwt.testing.http.multipart import parts_of
from airflow_provider_sfjwt.testing.http.routing import Route

_OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
_SETTINGS = frozenset(
    (
        "object",
        "operation",
        "externalIdFieldName",
        "contentType",
        "columnDelimiter",
        "lineEnding",
        "assignmentRuleId",
    )
)
_MULTIPART_CHARACTERS = 100_000
_PAGE = 1_000
_WHILE_OPEN = ("numberRecordsProcessed", "numberRecordsFailed", "retries")
_TIMES = ("totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime")
_TWICE = (
    "Found multipe contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job "
    "and make sure you only do 'PUT' once on a given Job."
)


class BulkIngest:
    """The resource ``/jobs/ingest``.

    A closed job is processed a share at each poll. Whatever else looks at the org's records sees it processed whole:
    Salesforce does not wait for polls.

    :param jobs: where jobs are kept.
    """

    def __init__(self, dml: Dml, jobs: Jobs) -> None:
        self._dml = dml
        self._jobs = jobs
        self._loads: dict[str, Load] = {}
        self._queue: list[Job] = []
        self._queue_lock = threading.Lock()
        self.allocation = BatchAllocation()

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        job = r"/jobs/ingest/(\w+)"
        sets = r"/(successfulResults|failedResults|unprocessed[rR]ecords)/?"
        return [
            Route("POST", r"/jobs/ingest/?", self.create),
            Route("GET", r"/jobs/ingest/?", self.list),
            Route("GET", job + "/?", lambda r, v, job_id: self.get(job_id)),
            Route("PUT", job + "/batches/?", lambda r, v, job_id: self.upload(job_id, r)),
            Route("PATCH", job + "/?", lambda r, v, job_id: self.patch(job_id, r)),
            Route("DELETE", job + "/?", lambda r, v, job_id: self.delete(job_id)),
            Route("GET", job + sets, lambda r, v, job_id, which: self.results(job_id, which)),
        ]

    def create(self, request: Request, version: str) -> Answer:
        """Create a job, or create it with its data in a single request.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/create_job.htm

        :raises RefusalError: as Salesforce words it.
        """
        data = None
        if request.headers.get_content_type() == "multipart/form-data":
            parts = parts_of(request.headers, request.body)
            if set(parts) != {"job", "content"}:
                raise RefusalError(400, "CLIENTINPUTERROR", "a multipart request has the parts job and content")
            data = parts["content"]
            if len(data.decode("utf-8", "replace")) > _MULTIPART_CHARACTERS:
                message = f"The data of a multipart request is limited to {_MULTIPART_CHARACTERS} characters"
                raise RefusalError(400, "CLIENTINPUTERROR", message)
            request = Request(request.method, request.path, request.query_string, request.headers, parts["job"])
        job = self._made(request.json_object(), version)
        if data is not None:
            load = self._loads[job.id]
            load.data, load.uploads = data, 1
            self._close(job)
        hidden = ("jobType", *_WHILE_OPEN, *_TIMES)
        return json_answer({name: value for name, value in job.info.items() if name not in hidden})

    def _made(self, wanted: dict[str, Any], version: str) -> Job:
        unknown = next((name for name in wanted if name not in _SETTINGS), None)
        if unknown is not None:
            raise RefusalError(400, "JSON_PARSER_ERROR", f"Unrecognized field {json.dumps(unknown)}")
        operation = choice(wanted, "operation", _OPERATIONS, "")
        delimiter = choice(wanted, "columnDelimiter", tuple(DELIMITERS), "COMMA")
        ending = choice(wanted, "lineEnding", tuple(LINE_ENDINGS), "LF")
        choice(wanted, "contentType", ("CSV",), "CSV")
        sobject = self._object(wanted)
        if operation == "hardDelete" and not self._dml.settings.hard_delete_allowed:
            message = "hardDelete operation requires special user profile permission, please contact your system admin"
            raise RefusalError(400, "FEATURENOTENABLED", message)
        key = self._key(wanted, sobject) if operation == "upsert" else None
        rule = str(wanted.get("assignmentRuleId") or "")
        try:
            owner = self._dml.row_faults.owner(sobject, rule)
        except KeyError:
            raise RefusalError(400, "INVALIDJOB", f"Invalid assignment rule: {rule}") from None
        now = bulk_moment(self._dml.settings.now())
        info: dict[str, Any] = {
            "operation": operation,
            "object": sobject.name,
            "createdById": self._dml.user_id,
            "createdDate": now,
            "systemModstamp": now,
            "state": "Open",
        }
        if key is not None:
            info["externalIdFieldName"] = wanted["externalIdFieldName"]
        if rule:
            info["assignmentRuleId"] = rule
        info |= {"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(version)}
        info |= {"contentUrl": "", "jobType": "V2Ingest", "lineEnding": ending, "columnDelimiter": delimiter}
        job = self._jobs.add("ingest", version, info, self._dml.settings.bulk_polls)
        job.info["contentUrl"] = f"services/data/v{version}/jobs/ingest/{job.id}/batches"
        self._loads[job.id] = Load(job, sobject, key, owner)
        return job

    def _object(self, wanted: dict[str, Any]) -> SObject:
        name = wanted.get("object")
        if not isinstance(name, str) or not name:
            raise RefusalError(400, "INVALIDJOB", "object must be specified")
        sobject = self._dml.schema.find(name)
        if sobject is None:
            raise RefusalError(400, "INVALIDJOB", f"Unable to find object: {name}")
        if not sobject.bulk:
            raise RefusalError(400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API.")
        return sobject

    @staticmethod
    def _key(wanted: dict[str, Any], sobject: SObject) -> Field:
        name = wanted.get("externalIdFieldName")
        if not isinstance(name, str) or not name:
            raise RefusalError(
                400,
                "INVALIDJOB",
                f"External ID was blank for {sobject.name}. An External ID must be specified for upsert",
            )
        field = sobject.field(name)
        if field is None or not field.is_id_lookup:
            message = f"Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field"
            raise RefusalError(400, "INVALIDJOB", f"{message} for {sobject.name}")
        return field

    def upload(self, job_id: str, request: Request) -> Answer:
        """Take the data of an open job, once.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/upload_job_data.htm

        :raises RefusalError: for a second upload, a job that is closed, too much data, or anything but CSV.
        """
        job = self._job(job_id)
        if request.headers.get_content_type() != "text/csv":
            raise RefusalError(415, "UNSUPPORTED_MEDIA_TYPE", "The data of a job must have the content type text/csv")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusalError(415, "UNSUPPORTED_MEDIA_TYPE", "The data of a job must not be compressed")
        most = self._dml.settings.bulk_upload_bytes
        if (len(request.body) + 2) // 3 * 4 > most:
            raise RefusalError(413, "CLIENTINPUTERROR", f"The data exceeds the maximum of {most} bytes in base64")
        with job.lock:
            load = self._loads[job.id]
            if job.state != "Open":
                raise RefusalError(400, "INVALIDJOBSTATE", f"Uploading to already {_word(job)} Job not allowed")
            if load.uploads and self._dml.settings.refuse_second_upload:
                raise RefusalError(400, "INVALIDJOB", _TWICE.format(job.id[:15]))
            load.data = request.body
            load.uploads += 1
        return Answer(201)

    def patch(self, job_id: str, request: Request) -> Answer:
        """Close a job, which queues it, or abort it.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/close_job.htm

        :raises RefusalError: INVALIDJOBSTATE for a job that is past it.
        """
        job = self._job(job_id)
        state = request.json_object().get("state")
        if state not in ("UploadComplete", "Aborted"):
            raise RefusalError(400, "INVALIDJOBSTATE", "A job can be set to the states UploadComplete and Aborted")
        with job.lock:
            if state == "Aborted":
                if job.state in TERMINAL:
                    raise RefusalError(400, "INVALIDJOBSTATE", f"Aborting already {_word(job)} Job not allowed")
                self._finish(job, Ending("Aborted"))
            else:
                if job.state != "Open":
                    raise RefusalError(400, "INVALIDJOBSTATE", f"Closing already {_word(job)} Job not allowed")
                if self._loads[job.id].uploads > 1:
                    raise RefusalError(400, "INVALIDJOB", _TWICE.format(job.id[:15]))
                self._close(job)
            hidden = ("contentUrl", "jobType", "lineEnding", "columnDelimiter", "errorMessage", *_WHILE_OPEN, *_TIMES)
            return json_answer({name: value for name, value in job.info.items() if name not in hidden})

    def _close(self, job: Job) -> None:
        job.info["state"] = "UploadComplete"
        job.info.pop("contentUrl")
        with self._queue_lock:
            self._queue.append(job)

    def get(self, job_id: str) -> Answer:
        """Answer a job's information; each call brings a closed one nearer to its end."""
        job = self._job(job_id)
        with job.lock:
            if job.state in ("UploadComplete", "InProgress"):
                self._advance(job)
            return json_answer(job.info)

    def _advance(self, job: Job) -> None:
        load = self._loads[job.id]
        load.process(self._dml, self.allocation, job.polls_left, self._dml.settings.bulk_poll_seconds)
        if job.polls_left == 0 and load.ending is not None:
            self._finish(job, load.ending)
            return
        job.polls_left = max(0, job.polls_left - 1)
        job.info["state"] = "InProgress"
        self._count(job)

    def _finish(self, job: Job, ending: Ending) -> None:
        with self._queue_lock:
            if job in self._queue:
                self._queue.remove(job)
        job.info["state"] = ending.state
        job.info.pop("contentUrl", None)
        self._count(job)
        job.info["systemModstamp"] = bulk_moment(self._dml.settings.now())
        if ending.message:
            job.info["errorMessage"] = ending.message

    def _count(self, job: Job) -> None:
        load = self._loads[job.id]
        spent = load.processed // 10
        counts = dict(zip(_WHILE_OPEN, (load.processed, load.failed, 0), strict=True))
        job.info |= counts | dict(zip(_TIMES, (spent, spent, 0), strict=True))

    def settle(self) -> None:
        """Process what is queued, as time does; the states of the jobs wait for their polls."""
        with self._queue_lock:
            waiting = list(self._queue)
        for job in waiting:
            with job.lock:
                if job.state not in TERMINAL:
                    self._loads[job.id].process(self._dml, self.allocation, 0)

    def delete(self, job_id: str) -> Answer:
        """Delete a job that is neither open nor in progress.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/delete_job.htm

        :raises RefusalError: API_ERROR for one that is.
        """
        job = self._job(job_id)
        with job.lock:
            if job.state in ("Open", "InProgress"):
                message = "Error encountered when deleting the job because the job is not terminated"
                raise RefusalError(400, "API_ERROR", message)
            with self._queue_lock:
                if job in self._queue:
                    self._queue.remove(job)
            self._jobs.remove(job)
            del self._loads[job.id]
        return Answer(204)

    def list(self, request: Request, version: str) -> Answer:
        """Answer the jobs, a page at a time."""
        jobs = self._jobs.of_kind("ingest")
        kind = request.parameter("jobType")
        if kind not in (None, "V2Ingest"):
            jobs = []
        start = request.parameter("queryLocator") or "0"
        if not start.isdigit():
            raise RefusalError(400, "API_ERROR", f"Invalid query locator: {start}")
        end = int(start) + _PAGE
        more = f"/services/data/v{version}/jobs/ingest?queryLocator={end}" if end < len(jobs) else None
        records = [dict(job.info) for job in jobs[int(start) : end]]
        return json_answer({"done": more is None, "records": records, "nextRecordsUrl": more})

    def results(self, job_id: str, which: str) -> Answer:
        """Answer one of the three result sets as CSV.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_failed_results.htm

        :param which: ``successfulResults``, ``failedResults`` or ``unprocessedrecords``.
        :raises RefusalError: INVALIDJOBSTATE before the job has ended.
        """
        job = self._job(job_id)
        if job.state not in TERMINAL:
            message = f"Results are available for jobs that have ended; this one is {job.state}"
            raise RefusalError(400, "INVALIDJOBSTATE", message)
        load = self._loads[job.id]
        sets = {"successfulresults": load.successful, "failedresults": load.refused}
        return Answer(200, sets.get(which.lower(), load.unprocessed)(), {"Content-Type": CSV_TYPE})

    def _job(self, job_id: str) -> Job:
        job = self._jobs.find("ingest", job_id)
        if job is None:
            raise not_found()
        return job


def _word(job: Job) -> str:
    return {"JobComplete": "Completed"}.get(job.state, job.state)
