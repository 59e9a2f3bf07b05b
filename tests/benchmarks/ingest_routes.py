"""The page server's ingest jobs: uploads are read, counted and dropped, and every job is complete at the first look."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.load_rows import RECORD_ENDS, SOBJECT

_PATH = re.compile(r"/services/data/v[\d.]+/jobs/ingest(/(?P<job>\w+)(/(?P<part>\w+)/?)?)?")


@dataclass
class IngestJob:
    """A job. :param operation: of it. :param rows: that it was sent. :param file: that keeps them, where it is asked to."""

    operation: str
    rows: int = 0
    state: str = "Open"
    file: Path | None = None


class Ingest:
    """The jobs.

    :param folder: for the uploads that are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, IngestJob] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        #: Whether uploads are kept, so that their rows can be given back as successful results.
        self.keep = False
        self.rows = self.bytes = 0

    def reset(self, *, keep: bool) -> None:
        """Forget everything. :param keep: whether uploads are kept from now on."""
        with self._lock:
            for job in self._jobs.values():
                if job.file is not None:
                    job.file.unlink(missing_ok=True)
            self._jobs.clear()
            self.keep, self.rows, self.bytes = keep, 0, 0

    def takes(self, method: str, target: str) -> bool:
        """Whether a request is an upload, whose body is better not held. :param method: of HTTP. :param target: path."""
        return method == "PUT" and _PATH.fullmatch(target) is not None

    def swallow(self, target: str, pieces: Iterator[bytes | memoryview]) -> None:
        """Take an upload.

        :param target: path of the request.
        :param pieces: the body.
        """
        job, path = self._job(target)
        size = count = 0
        before = b""
        if self.keep:
            job.file = self._folder / f"upload-{path}"
        with (job.file or Path("/dev/null")).open("wb") as file:
            for piece in pieces:
                data = bytes(piece)
                # An end that is cut in two is in neither piece.
                edge = before + data[:2]
                count += sum(data.count(end) + edge.count(end) - data[:2].count(end) for end in RECORD_ENDS)
                size, before = size + len(data), data[-2:]
                if job.file is not None:
                    file.write(data)
        job.rows = count
        with self._lock:
            self.rows, self.bytes = self.rows + count, self.bytes + size

    def answer(self, method: str, target: str, body: bytes) -> tuple[str, str, Any] | None:
        """What a request gets, or None where it is not about an ingest job.

        :param method: of HTTP.
        :param target: path of the request.
        :param body: of the request.
        :return: its kind, the status, and JSON or, where it is a result set, the job.
        """
        match = _PATH.fullmatch(target)
        if match is None:
            return None
        if match["job"] is None:
            wanted = json.loads(body)
            with self._lock:
                number = f"750{next(self._ids):012d}AAC"
                self._jobs[number] = IngestJob(wanted["operation"])
            return "ingest create", "200 OK", self._info(number)
        job = self._jobs[match["job"]]
        if match["part"] is not None:
            return match["part"], "200 OK", job
        if method == "PATCH":
            job.state = json.loads(body)["state"]
            return "ingest state", "200 OK", self._info(match["job"])
        if job.state == "UploadComplete":
            job.state = "JobComplete"
        return "ingest poll", "200 OK", self._info(match["job"])

    def _info(self, number: str) -> dict[str, Any]:
        job = self._jobs[number]
        info = {"id": number, "object": SOBJECT, "operation": job.operation, "state": job.state, "apiVersion": 66.0}
        done = job.rows if job.state == "JobComplete" else 0
        return info | {
            "contentUrl": f"services/data/v66.0/jobs/ingest/{number}/batches",
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
            "numberRecordsProcessed": done,
            "numberRecordsFailed": 0,
        }

    def _job(self, target: str) -> tuple[IngestJob, str]:
        match = _PATH.fullmatch(target)
        assert match is not None
        return self._jobs[match["job"]], match["job"]


def successes(job: IngestJob) -> bytes:
    """The rows of a job as its successful results. :param job: whose upload was kept."""
    assert job.file is not None, "set keep_uploads"
    header, _, records = job.file.read_bytes().partition(b"\n")
    head = b'"sf__Id","sf__Created",' + header + b"\n"
    end = next(each for each in reversed(RECORD_ENDS) if records.endswith(each))
    texts = records[: -len(end)].split(end)
    return head + b"".join(b'"a00%012dAAA","true",%b%b' % (row, text, end) for row, text in enumerate(texts))
