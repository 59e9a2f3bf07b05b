"""What the page server answers: as much of Salesforce as an extract or a load asks for, from pages that lie there ready."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.benchmarks import load_rows, pages
from tests.benchmarks.ingest_routes import Ingest, IngestJob, successes

_DATA = re.compile(r"/services/data/v[\d.]+(/(?P<rest>.+))?")
_ASYNC = re.compile(
    r"/services/async/[\d.]+/job(/(?P<job>\w+))?(/batch(/(?P<batch>\w+)(/result(/(?P<result>\d+))?)?)?)?"
)
_VERSIONS = [{"label": "Test", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in range(50, 68)]
_LINKS = 5  # that one answer of resultPages has at most


@dataclass
class Answer:
    """An answer: bytes, a file from ``offset`` on, or a file between bytes."""

    body: bytes = b""
    file: Path | None = None
    offset: int = 0
    end: bytes = b""
    status: str = "200 OK"
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Of the whole body."""
        return len(self.body) + (self.file.stat().st_size - self.offset if self.file else 0) + len(self.end)


@dataclass
class Settings:
    """What a benchmark sets before it runs. Setting anything begins to count anew.

    :param page_count: pages of a result.
    :param latency: seconds before each answer.
    :param bytes_per_second: that each connection gets, or None.
    :param polls: how often a job is still in progress when it is looked at.
    :param complete_at: seconds since the epoch at which jobs end, by id; others end after ``polls``.
    :param keep_uploads: whether the rows that ingest jobs are sent are kept, for their successful results.
    """

    page_count: int = pages.DISTINCT_PAGES
    latency: float = 0.0
    bytes_per_second: float | None = None
    polls: int = 0
    complete_at: dict[str, float] = field(default_factory=dict)
    keep_uploads: bool = False


class Routes:
    """The answers to requests.

    :param folder: of the prepared pages.
    :param scratch: for uploads that are kept.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self.ingest = Ingest(scratch)
        self._describe_load = json.dumps(load_rows.describe()).encode()
        self._describe = json.dumps(pages.describe()).encode()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.settings = Settings()
        self.counts: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        self._first_complete: float | None = None

    def answer(self, method: str, target: str, host: str, scheme: str, body: bytes) -> Answer:
        """Answer a request.

        :param method: of HTTP.
        :param target: path and query.
        :param host: as the client calls this server.
        :param scheme: ``http`` or ``https``.
        :param body: of the request.
        """
        parts = urlsplit(target)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/_"):
            return self._control(parts.path, body)
        ingest = self.ingest.answer(method, parts.path, body)
        if ingest is not None:
            kind, answer = ingest[0], _ingested(*ingest)
        else:
            kind, answer = self._salesforce(method, parts.path, parameters, f"{scheme}://{host}")
        with self._lock:
            self.counts[kind] += 1
        return answer

    def _control(self, path: str, body: bytes) -> Answer:
        with self._lock:
            if path == "/_settings":
                self.settings = Settings(**json.loads(body))
                self.ingest.reset(keep=self.settings.keep_uploads)
                self.counts.clear()
                self._first_complete = None
                return _json({})
            return _json(
                {
                    "counts": dict(self.counts),
                    "first_complete": self._first_complete,
                    "uploaded_rows": self.ingest.rows,
                    "uploaded_bytes": self.ingest.bytes,
                }
            )

    def _salesforce(self, method: str, path: str, parameters: dict[str, str], url: str) -> tuple[str, Answer]:
        if path == "/services/oauth2/token":
            return "token", _token(url)
        if path.rstrip("/") == "/services/data":
            return "versions", _json(_VERSIONS)
        first_bulk = _ASYNC.fullmatch(path)
        if first_bulk:
            return "bulk 1", self._first_bulk(method, **first_bulk.groupdict())
        data = _DATA.fullmatch(path)
        if not data:
            return f"unknown {path}", _json([{"errorCode": "NOT_FOUND", "message": path}], "404 Not Found")
        resource, _, rest = (data["rest"] or "").partition("/")
        if not resource:
            return "resources", _json({"sobjects": f"{path}/sobjects", "query": f"{path}/query"})
        if resource == "jobs":
            return self._job(method, rest.removeprefix("query").lstrip("/"), parameters, url, path)
        if resource == "query":
            return "query", self._query(unquote(rest), parameters.get("q", ""))
        if resource == "sobjects" and rest.endswith("describe"):
            loaded = rest.startswith(f"{load_rows.SOBJECT}/")
            return "describe", Answer(self._describe_load if loaded else self._describe)
        if resource == "sobjects" and rest.startswith("User/"):
            return "user", _json({"Id": rest.removeprefix("User/"), "Username": "benchmark@example.com"})
        return f"unknown {path}", _json([{"errorCode": "NOT_FOUND", "message": path}], "404 Not Found")

    def _job(self, method: str, rest: str, parameters: dict[str, str], url: str, path: str) -> tuple[str, Answer]:
        job, _, part = rest.partition("/")
        locator = parameters.get("locator", "bench-0")
        page = int(locator.removeprefix("bench-")) if locator not in ("", "null") else 0
        if method == "POST":
            return "create", _json(self._info(f"750{next(self._ids):012d}AAA", "UploadComplete"))
        if part == "results":
            return "result", self._result(page)
        if part == "resultPages":
            return "links", self._links(path, page)
        if method == "PATCH":
            return "abort", _json(self._info(job, "Aborted"))
        if method == "DELETE":
            return "delete", Answer(status="204 No Content")
        with self._lock:
            self._looks[job] += 1
            ended = time.time() >= self.settings.complete_at.get(job, 0.0) and self._looks[job] > self.settings.polls
        if ended and self._first_complete is None:
            self._first_complete = time.time()
        return "poll", _json(self._info(job, "JobComplete" if ended else "InProgress"))

    def _info(self, job: str, state: str) -> dict[str, Any]:
        info = {"id": job, "operation": "query", "object": pages.SOBJECT, "state": state, "apiVersion": 66.0}
        records = self.settings.page_count * pages.PAGE_ROWS if state == "JobComplete" else 0
        return info | {"numberRecordsProcessed": records, "contentType": "CSV", "lineEnding": "LF"}

    def _result(self, page: int) -> Answer:
        following = page + 1
        headers = {
            "Sforce-NumberOfRecords": str(pages.PAGE_ROWS),
            "Sforce-Locator": f"bench-{following}" if following < self.settings.page_count else "null",
        }
        start, offset = pages.beginning(self._folder, page)
        file = pages.csv_file(self._folder, page)
        return Answer(start, file, offset, content_type="text/csv;charset=UTF-8", headers=headers)

    def _links(self, path: str, start: int) -> Answer:
        end = min(start + _LINKS, self.settings.page_count)
        results = path.removesuffix("resultPages") + "results"
        answer: dict[str, Any] = {
            "resultPages": [{"resultUrl": f"{results}?locator=bench-{page}"} for page in range(start, end)],
            "done": end == self.settings.page_count,
        }
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"{path}?locator=bench-{end}"
        return _json(answer)

    def _query(self, cursor: str, soql: str) -> Answer:
        if soql and f"FROM {pages.SOBJECT.upper()}" not in soql.upper():
            return _json(_ABOUT_THE_ORG)
        offset = int(cursor.removeprefix("bench-") or 0)
        total, following = self.settings.page_count * pages.PAGE_ROWS, offset + pages.REST_ROWS
        head: dict[str, Any] = {"totalSize": total, "done": following >= total}
        if not head["done"]:
            head["nextRecordsUrl"] = f"/services/data/v66.0/query/bench-{following}"
        start = json.dumps(head)[:-1] + ', "records": ['
        return Answer(start.encode(), pages.rest_file(self._folder, offset), end=b"]}")

    def _first_bulk(self, method: str, job: str | None, batch: str | None, result: str | None) -> Answer:
        if result:
            return Answer(file=pages.bulk1_file(self._folder, int(result)))
        if batch:
            with self._lock:
                self._looks[batch] += 1
            # Asked for its state first, then for the list of its results.
            if self._looks[batch] > 1:
                return _json([str(page) for page in range(self.settings.page_count)])
            self._first_complete = time.time()
            return _json({"id": batch, "jobId": job, "state": "Completed"})
        number = next(self._ids)
        return _json({"id": f"751{number:012d}" if job else f"750{number:012d}", "jobId": job, "state": "Queued"})


_ABOUT_THE_ORG = {
    "totalSize": 1,
    "done": True,
    "records": [
        {
            "attributes": {"type": "Organization"},
            "Id": "00D000000000001AAA",
            "Name": "Benchmark",
            "InstanceName": "CS1",
            "IsSandbox": False,
            "TrialExpirationDate": None,
            "NamespacePrefix": None,
            "OrganizationType": "Developer Edition",
        }
    ],
}


def _token(url: str) -> Answer:
    return _json(
        {
            "access_token": "00D000000000001!benchmark",
            "scope": "api",
            "instance_url": url,
            "id": f"{url}/id/00D000000000001AAA/005000000000001AAA",
            "token_type": "Bearer",
        }
    )


def _ingested(kind: str, status: str, content: Any) -> Answer:
    if not isinstance(content, IngestJob):
        return _json(content, status)
    if kind == "batches":
        return Answer(status="201 Created")
    body = successes(content) if kind == "successfulResults" else b'"sf__Id","sf__Error"\n'
    return Answer(body, content_type="text/csv;charset=UTF-8")


def _json(value: Any, status: str = "200 OK") -> Answer:
    return Answer(json.dumps(value).encode(), status=status)
