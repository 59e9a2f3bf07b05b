"""Bulk API 1.0: jobs of JSON batches, as simple-salesforce's ``bulk`` sends them.

Loads alone: queries, and batches of CSV or XML, are refused as not simulated.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_intro.htm
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from airflow_provider_sfjwt.testing.bulk.batches import BatchAllocation
from airflow_provider_sfjwt.testing.bulk.ingest_csv import Columns, JobFailure
from airflow_provider_sfjwt.testing.bulk.jobs import Job, Jobs, bulk_moment
from airflow_provider_sfjwt.testing.bulk1.json_rows import table_of
from airflow_provider_sfjwt.testing.bulk1.messages import Bulk1RefusalError
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.dml.outcomes import Outcome
from airflow_provider_sfjwt.testing.dml.save import Dml
from airflow_provider_sfjwt.testing.http.messages import Answer, Request, json_answer
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions

ROOT = "/services/async/"
KIND = "bulk1"

_ADDRESS = re.compile(r"/services/async/(\d+\.\d)(/.*)")
_OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
_CONCURRENCY = {"0": "Parallel", "1": "Serial", "Parallel": "Parallel", "Serial": "Serial"}
_MOST_RECORDS = 10_000
_TIMES = ("totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime")


@dataclass
class _Batch:
    """One batch: its data, what became of every record, and the polls that it takes to be seen as done."""

    info: dict[str, Any]
    data: bytes
    polls_left: int
    outcomes: list[Outcome] = field(default_factory=list)
    failure: str = ""


@dataclass
class _Load:
    """What a job loads into."""

    sobject: SObject
    key: Field | None
    batches: dict[str, _Batch] = field(default_factory=dict)


class Bulk1:
    """The resource ``/services/async``. A batch is processed when it is sent; polls see it as done later.

    :param versions: API versions that the org speaks.
    :param jobs: where jobs are kept.
    :param allocation: of batches, which Bulk API 2.0 shares.
    """

    def __init__(
        self, sessions: Sessions, versions: Sequence[str], dml: Dml, jobs: Jobs, allocation: BatchAllocation
    ) -> None:
        self._sessions = sessions
        self._versions = versions
        self._dml = dml
        self._jobs = jobs
        self._allocation = allocation
        self._loads: dict[str, _Load] = {}
        self._batch_numbers = 0
        self._lock = threading.Lock()
        job, batch = r"/job/(\w+)", r"/job/(\w+)/batch/(\w+)"
        self._routes = [
            Route("POST", "/job/?", self._create),
            Route("GET", job + "/?", lambda r, v, job_id: json_answer(self._job(job_id).info)),
            Route("POST", job + "/?", lambda r, v, job_id: self._set_state(job_id, r)),
            Route("POST", job + "/batch/?", lambda r, v, job_id: self._add(job_id, r)),
            Route("GET", job + "/batch/?", lambda r, v, job_id: self._list(job_id)),
            Route("GET", batch + "/?", lambda r, v, *ids: self._poll(*ids)),
            Route("GET", batch + "/request/?", lambda r, v, *ids: Answer(200, self._batch(*ids).data)),
            Route("GET", batch + "/result/?", lambda r, v, *ids: self._results(*ids)),
        ]

    def respond(self, request: Request) -> Answer:
        """Answer one request.

        :raises Bulk1RefusalError: for a dead session, an unknown version or address, and what an endpoint refuses.
        """
        if self._sessions.find(request.headers.get("X-SFDC-Session", "")) is None:
            raise Bulk1RefusalError("InvalidSessionId", "Invalid session id", 401)
        address = _ADDRESS.fullmatch(unquote(request.path))
        if address is None or address[1] not in self._versions:
            raise Bulk1RefusalError("InvalidVersion", "Api version not supported")
        for route in self._routes:
            match = route.match(request.method, address[2])
            if match is not None:
                return route.endpoint(request, address[1], *match.groups())
        raise Bulk1RefusalError("InvalidUrl", f"the simulator has no {request.method} {request.path}", 404)

    def _create(self, request: Request, version: str) -> Answer:
        """https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_jobs_create.htm"""
        wanted = request.json_object()
        operation = wanted.get("operation")
        if operation in ("query", "queryAll") or str(wanted.get("contentType", "XML")) != "JSON":
            raise Bulk1RefusalError("FeatureNotEnabled", "the simulator has loads of JSON alone in Bulk API 1.0")
        if operation not in _OPERATIONS:
            raise Bulk1RefusalError("InvalidJob", f"Unknown operation: {operation}")
        if operation == "hardDelete" and not self._dml.settings.hard_delete_allowed:
            raise Bulk1RefusalError(
                "FeatureNotEnabled", "hardDelete operation requires special user profile permission"
            )
        concurrency = _CONCURRENCY.get(str(wanted.get("concurrencyMode", "Parallel")))
        if concurrency is None:
            raise Bulk1RefusalError("InvalidJob", "concurrencyMode is Parallel or Serial")
        sobject = self._object(wanted.get("object"))
        key = self._key(wanted.get("externalIdFieldName"), sobject) if operation == "upsert" else None
        now = bulk_moment(self._dml.settings.now())
        info: dict[str, Any] = {
            "operation": operation,
            "object": sobject.name,
            "createdById": self._dml.user_id,
            "createdDate": now,
            "systemModstamp": now,
            "state": "Open",
            "concurrencyMode": concurrency,
            "contentType": "JSON",
            "apiVersion": float(version),
            **dict.fromkeys(("numberBatches" + state for state in ("Queued", "InProgress", "Completed", "Failed")), 0),
            "numberBatchesTotal": 0,
            "numberRecordsProcessed": 0,
            "numberRecordsFailed": 0,
            "numberRetries": 0,
            **dict.fromkeys(_TIMES, 0),
        }
        if key is not None:
            info["externalIdFieldName"] = key.name
        job = self._jobs.add(KIND, version, info, 0)
        self._loads[job.id] = _Load(sobject, key)
        return json_answer(job.info, 201)

    def _object(self, name: Any) -> SObject:
        sobject = self._dml.schema.find(str(name))
        if sobject is None:
            raise Bulk1RefusalError("InvalidJob", f"Unable to find object: {name}")
        if not sobject.bulk:
            raise Bulk1RefusalError("InvalidEntity", f"Entity '{sobject.name}' is not supported by the Bulk API.")
        return sobject

    @staticmethod
    def _key(name: Any, sobject: SObject) -> Field:
        found = sobject.field(str(name))
        if found is None or not found.is_id_lookup:
            message = f"Field name provided, {name} does not match an External ID for {sobject.name}"
            raise Bulk1RefusalError("InvalidJob", message)
        return found

    def _set_state(self, job_id: str, request: Request) -> Answer:
        """https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_jobs_close.htm"""
        job, state = self._job(job_id), request.json_object().get("state")
        if state not in ("Closed", "Aborted"):
            raise Bulk1RefusalError("InvalidJob", f"A job cannot be set to the state {state}")
        if job.state != "Open":
            raise Bulk1RefusalError("InvalidJobState", f"the job is {job.state}")
        job.info["state"] = state
        return json_answer(job.info)

    def _add(self, job_id: str, request: Request) -> Answer:
        """https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_batches_create.htm"""
        job = self._job(job_id)
        if job.state != "Open":
            raise Bulk1RefusalError("InvalidJobState", f"Adding a batch to a job that is {job.state} is not allowed")
        if self._allocation.used >= self._dml.settings.daily_bulk_batches:
            raise Bulk1RefusalError("ExceededQuota", "ApiBatchItems Limit exceeded.")
        with self._lock:
            self._allocation.used += 1
            self._batch_numbers += 1
            now = bulk_moment(self._dml.settings.now())
            batch_id = record_id("751", self._batch_numbers)
            info: dict[str, Any] = {"id": batch_id, "jobId": job.id, "state": "Queued"}
            info |= {"stateMessage": None, "createdDate": now, "systemModstamp": now}
            info |= dict.fromkeys(("numberRecordsProcessed", "numberRecordsFailed", *_TIMES), 0)
            batch = _Batch(info, request.body, self._dml.settings.bulk_polls)
            self._loads[job.id].batches[batch_id] = batch
            job.info["numberBatchesTotal"] += 1
            job.info["numberBatchesQueued"] += 1
            self._process(job, batch)
        return json_answer(batch.info, 201)

    def _process(self, job: Job, batch: _Batch) -> None:
        load, operation = self._loads[job.id], job.info["operation"]
        try:
            names, rows = table_of(load.sobject, _decoded(batch.data))
            if len(rows) > _MOST_RECORDS:
                raise JobFailure(f"InvalidBatch : Records exceed the maximum of {_MOST_RECORDS}")
            columns = Columns(self._dml.schema, load.sobject, names, operation, load.key)
        except JobFailure as failure:
            batch.failure = str(failure)
            return
        batch.outcomes = self._dml.save(load.sobject, operation, list(columns.changes(rows)), load.key)

    def _poll(self, job_id: str, batch_id: str) -> Answer:
        """Answer a batch's information; each call brings it nearer to its end."""
        batch, job = self._batch(job_id, batch_id), self._job(job_id)
        with self._lock:
            if batch.info["state"] in ("Queued", "InProgress"):
                self._advance(job, batch)
        return json_answer(batch.info)

    def _advance(self, job: Job, batch: _Batch) -> None:
        before = batch.info["state"]
        after = "InProgress" if batch.polls_left else "Failed" if batch.failure else "Completed"
        batch.polls_left = max(0, batch.polls_left - 1)
        batch.info["state"] = after
        job.info[f"numberBatches{before}"] -= 1
        job.info[f"numberBatches{after}"] += 1
        if after == "Failed":
            batch.info["stateMessage"] = batch.failure
        elif after == "Completed":
            counts = {"numberRecordsProcessed": len(batch.outcomes)}
            counts["numberRecordsFailed"] = sum(not outcome.success for outcome in batch.outcomes)
            batch.info |= counts
            for name, count in counts.items():
                job.info[name] += count

    def _list(self, job_id: str) -> Answer:
        batches = self._loads[self._job(job_id).id].batches.values()
        return json_answer({"batchInfo": [batch.info for batch in batches]})

    def _results(self, job_id: str, batch_id: str) -> Answer:
        """https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_batches_get_results.htm"""
        batch = self._batch(job_id, batch_id)
        if batch.info["state"] != "Completed":
            raise Bulk1RefusalError("InvalidBatch", f"Batch {batch_id} is {batch.info['state']}: it has no results")
        return json_answer([_shown(outcome) for outcome in batch.outcomes])

    def _job(self, job_id: str) -> Job:
        job = self._jobs.find(KIND, job_id)
        if job is None:
            raise Bulk1RefusalError("InvalidJob", f"Invalid job id: {job_id}")
        return job

    def _batch(self, job_id: str, batch_id: str) -> _Batch:
        batch = self._loads[self._job(job_id).id].batches.get(canonical_id(batch_id) or "")
        if batch is None:
            raise Bulk1RefusalError("InvalidBatch", f"Invalid batch id: {batch_id}")
        return batch


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise JobFailure("InvalidBatch : Failed to parse JSON") from None


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "success": outcome.success,
        "created": outcome.created,
        "id": outcome.id or None,
        "errors": [error.in_json() for error in outcome.errors],
    }
