"""Bulk API 2.0 query jobs: create, poll, read the results page by page.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

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
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.http.messages import (
    CSV_TYPE,
    Answer,
    RefusalError,
    Request,
    json_answer,
    not_found,
)
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.rest.query import too_complicated
from airflow_provider_sfjwt.testing.rest.row_writers import CsvPage
from airflow_provider_sfjwt.testing.settings import Settings
from airflow_provider_sfjwt.testing.soql.compiler import Compiler
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.joins import no_object
from airflow_provider_sfjwt.testing.soql.parser import parse
from airflow_provider_sfjwt.testing.soql.shape import Compiled, Compound, Parent
from airflow_provider_sfjwt.testing.soql.tree import FieldsOf, Query, SubQuery, TypeOf

_LINKS = 5
_PARALLEL_FROM = 58
_LOCATOR = re.compile(r"(\d{1,12}):(0Ga\w{15}):(\d{1,12})")


class BulkQueries:
    """The resource ``/jobs/query``.

    :param jobs: where jobs are kept.
    :param user_id: whose jobs they are.
    """

    def __init__(self, store: Store, settings: Settings, jobs: Jobs, user_id: str) -> None:
        self._store = store
        self._settings = settings
        self._jobs = jobs
        self._user_id = user_id
        self._results: dict[str, tuple[str, int, Compiled]] = {}

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        job = r"/jobs/query/(\w+)"
        return [
            Route("POST", r"/jobs/query/?", self.create),
            Route("GET", r"/jobs/query/?", lambda r, v: self.list()),
            Route("GET", job + "/?", lambda r, v, job_id: self.get(job_id)),
            Route("PATCH", job + "/?", lambda r, v, job_id: self.patch(job_id, r)),
            Route("DELETE", job + "/?", lambda r, v, job_id: self.delete(job_id)),
            Route("GET", job + "/results/?", lambda r, v, job_id: self.results(job_id, r, v)),
            Route("GET", job + "/result[pP]ages/?", lambda r, v, job_id: self.result_pages(job_id, r, v)),
        ]

    def create(self, request: Request, version: str) -> Answer:
        """Create a job; its rows are those of this moment.

        :raises RefusalError: as Salesforce words it.
        """
        wanted = request.json_object()
        operation = choice(wanted, "operation", ("query", "queryAll"), "query")
        delimiter = choice(wanted, "columnDelimiter", tuple(DELIMITERS), "COMMA")
        ending = choice(wanted, "lineEnding", tuple(LINE_ENDINGS), "LF")
        choice(wanted, "contentType", ("CSV",), "CSV")
        soql = wanted.get("query")
        if not isinstance(soql, str) or not soql.strip():
            raise RefusalError(400, "INVALIDJOB", "query must be specified")
        compiled = self._compiled(soql, operation == "queryAll")
        most = self._settings.daily_bulk_query_jobs
        if self._jobs.made("query") >= most:
            message = f"Max bulk v2 query jobs ({most}) per 24 hrs has been reached"
            raise RefusalError(400, "LIMIT_EXCEEDED", message)
        try:
            snapshot, count = self._store.snapshot(compiled.sql, compiled.parameters)
        except (sqlite3.OperationalError, OverflowError):
            raise too_complicated() from None
        now = bulk_moment(self._settings.now())
        info = {
            "operation": operation,
            "object": compiled.row.sobject.name,
            "createdById": self._user_id,
            "createdDate": now,
            "systemModstamp": now,
            "state": "UploadComplete",
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(version),
            "lineEnding": ending,
            "columnDelimiter": delimiter,
        }
        job = self._jobs.add("query", version, info, self._settings.bulk_polls)
        self._results[job.id] = (snapshot, count, compiled)
        return json_answer(job.info)

    def _compiled(self, soql: str, include_deleted: bool) -> Compiled:
        """Refuse what Bulk queries may not say.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries_soql.htm
        """
        query = parse(soql)
        sobject = self._store.schema.find(query.sobject.text)
        if sobject is None:
            raise no_object(soql, query.sobject)
        if not sobject.bulk:
            raise RefusalError(400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API.")
        _refuse_shape(query)
        context = Context.of(self._store.schema, self._settings, self._user_id, include_deleted)
        compiled = Compiler(context, query).compile()
        if _has_compound(compiled.row):
            raise RefusalError(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
        if any(leaf.field.type == "base64" for leaf in compiled.leaves):
            raise RefusalError(400, "API_ERROR", "Selecting binary data not supported in Bulk Query")
        return compiled

    def get(self, job_id: str) -> Answer:
        """Answer a job's information; each call brings it nearer to its end."""
        job = self._job(job_id)
        with job.lock:
            self._advance(job)
            return json_answer(job.info)

    def _advance(self, job: Job) -> None:
        if job.state in TERMINAL:
            return
        count = self._results[job.id][1]
        details = {
            "jobType": "V2Query",
            "numberRecordsProcessed": 0,
            "retries": 0,
            "totalProcessingTime": 0,
            "isPkChunkingSupported": True,
        }
        if job.polls_left > 0:
            job.polls_left -= 1
            job.info |= {"state": "InProgress"} | details
            return
        state, message, _ = job.ending or Ending("JobComplete")
        done = count if state == "JobComplete" else 0
        job.info |= details | {
            "state": state,
            "numberRecordsProcessed": done,
            "totalProcessingTime": 100 + count // 100,
        }
        job.info["systemModstamp"] = bulk_moment(self._settings.now())
        if message:
            job.info["errorMessage"] = message

    def patch(self, job_id: str, request: Request) -> Answer:
        """Abort a job.

        :raises RefusalError: INVALIDJOBSTATE for one that has ended.
        """
        job = self._job(job_id)
        if request.json_object().get("state") != "Aborted":
            raise RefusalError(400, "INVALIDJOBSTATE", "The only state that a query job can be set to is Aborted")
        with job.lock:
            if job.state in TERMINAL:
                word = {"JobComplete": "Completed"}.get(job.state, job.state)
                raise RefusalError(400, "INVALIDJOBSTATE", f"Aborting already {word} Job not allowed")
            job.info["state"] = "Aborted"
            return json_answer(job.info)

    def delete(self, job_id: str) -> Answer:
        """Delete a job that has ended.

        :raises RefusalError: API_ERROR for one that has not.
        """
        job = self._job(job_id)
        if job.state not in TERMINAL:
            message = "Error encountered when deleting the job because the job is not terminated"
            raise RefusalError(400, "API_ERROR", message)
        self._jobs.remove(job)
        self._store.drop_snapshot(self._results.pop(job.id)[0])
        return Answer(204)

    def list(self) -> Answer:
        """Answer all query jobs on one page."""
        records = [dict(job.info) for job in self._jobs.of_kind("query")]
        return json_answer({"done": True, "records": records, "nextRecordsUrl": None})

    def results(self, job_id: str, request: Request, version: str) -> Answer:
        """Answer one page of results as CSV.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results.htm
        """
        job = self._finished(job_id, version)
        snapshot, count, compiled = self._results[job.id]
        start, size = 0, self._settings.bulk_page_size
        locator = request.parameter("locator")
        if locator:
            start, size = self._located(job, locator)
        most = request.parameter("maxRecords")
        if most is not None:
            if not most.isdigit() or not int(most):
                raise RefusalError(400, "API_ERROR", "maxRecords must be a number above 0")
            size = min(self._settings.bulk_page_size, int(most))
        end = min(start + size, count)
        headers = {
            "Content-Type": CSV_TYPE,
            "Sforce-NumberOfRecords": str(end - start),
            "Sforce-Locator": "null" if end == count else _locator(job, end, size),
        }
        info = job.info
        page = CsvPage(compiled.leaves, DELIMITERS[info["columnDelimiter"]], LINE_ENDINGS[info["lineEnding"]])
        return Answer(200, self._lines(page, snapshot, start, end), headers)

    def _lines(self, page: CsvPage, snapshot: str, start: int, end: int) -> Iterator[bytes]:
        yield page.header()
        for block in self._store.snapshot_rows(snapshot, start, end):
            yield page.rows(block)

    def result_pages(self, job_id: str, request: Request, version: str) -> Answer:
        """Answer links to up to five pages of results, for reading them in parallel.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_parallel_job_results.htm
        """
        if float(version) < _PARALLEL_FROM:
            raise not_found()
        job = self._finished(job_id, version)
        count = self._results[job.id][1]
        start, size = 0, self._settings.bulk_page_size
        locator = request.parameter("locator")
        if locator:
            start, size = self._located(job, locator)
        path = f"/services/data/v{version}/jobs/query/{job.id}"
        starts = range(start, max(count, 1), size)
        links = [{"resultUrl": f"{path}/results?locator={_locator(job, at, size)}"} for at in starts[:_LINKS]]
        content: dict[str, Any] = {"resultPages": links, "done": len(starts) <= _LINKS}
        if not content["done"]:
            content["nextRecordsUrl"] = f"{path}/resultpages?locator={_locator(job, starts[_LINKS], size)}"
        return json_answer(content)

    def _located(self, job: Job, locator: str) -> tuple[int, int]:
        """Return where a page begins and how many rows it has at most."""
        try:
            text = base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True).decode()
        except ValueError:
            text = ""
        match = _LOCATOR.fullmatch(text)
        if match is None or match[2] != _result_id(job) or int(match[1]) > self._results[job.id][1]:
            raise RefusalError(400, "API_ERROR", f"Invalid query locator: {locator}")
        return int(match[1]), max(1, int(match[3]))

    def _job(self, job_id: str) -> Job:
        job = self._jobs.find("query", job_id)
        if job is None:
            raise not_found()
        return job

    def _finished(self, job_id: str, version: str) -> Job:
        job = self._job(job_id)
        if version != job.version:
            message = f"The job was created with API version {job.version}; its results need the same version"
            raise RefusalError(409, "API_ERROR", message)
        if job.state != "JobComplete":
            message = f"Results are available for jobs in the state JobComplete; this one is {job.state}"
            raise RefusalError(400, "INVALIDJOBSTATE", message)
        return job


def _refuse_shape(query: Query) -> None:
    if any(isinstance(item, TypeOf) for item in query.items):
        raise RefusalError(400, "API_ERROR", "TYPEOF is not supported in Bulk Query")
    if query.is_aggregate:
        raise RefusalError(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if query.offset is not None:
        raise RefusalError(400, "API_ERROR", "OFFSET clause not supported in Bulk Query")
    if any(isinstance(item, SubQuery) for item in query.items):
        raise RefusalError(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query")
    if any(isinstance(item, FieldsOf) for item in query.items):
        raise RefusalError(400, "API_ERROR", "FIELDS function not supported in Bulk Query")


def _has_compound(row: Parent) -> bool:
    return any(isinstance(m, Compound) or (isinstance(m, Parent) and _has_compound(m)) for m in row.members)


def _result_id(job: Job) -> str:
    return "0Ga" + job.id[3:]


def _locator(job: Job, start: int, size: int) -> str:
    text = f"{start}:{_result_id(job)}:{size}"
    return base64.b64encode(text.encode()).decode().rstrip("=")
