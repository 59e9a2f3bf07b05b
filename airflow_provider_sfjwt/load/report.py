"""The report of a load, which its ``_receipt.json`` holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, OutputFile, Writer
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

REPORT_VERSION = 1
#: The error code of rows that were sent in a call whose answer was lost. Salesforce has no such code.
ANSWER_LOST = "ANSWER_LOST"


@dataclass(frozen=True)
class LoadReport:
    """What a load did. The fields are those of its ``_receipt.json``, version 1.

    :param sobject: the object.
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param files: what was read.
    :param counts: rows that were ``read``, ``sent`` (none in a dry run), ``succeeded``, ``failed``, were left
        ``unprocessed``; and with ``on_invalid="skip"`` those that were ``skipped`` because they are faulty.
    :param errors_by_code: for each error code its ``count`` and a ``sample`` with ``file``, ``row``, ``message`` and
        ``fields``.
    :param jobs: ``id``, ``part``, ``state``, ``processed``, ``failed`` and ``error`` of each job.
    :param parts: the result files.
    :param api_calls: requests that counted against the org's allocation.
    :param seconds: that the load took.
    :param package_version: of this package.
    :param unprocessed_sample: ``file`` and ``row`` of the first rows that were left unprocessed, five at most.
    :param written_by: the task instance that wrote it; None outside a task, and the file lacks the key then.
    :param results_path: the folder. It is not written to the file, so that the folder can be moved.
    """

    sobject: str
    operation: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    errors_by_code: Mapping[str, Mapping[str, Any]]
    jobs: tuple[Mapping[str, Any], ...]
    parts: tuple[OutputFile, ...]
    api_calls: int
    seconds: float
    package_version: str
    unprocessed_sample: tuple[Mapping[str, Any], ...] = ()
    written_by: Writer | None = None
    results_path: str = ""
    report_version: int = field(default=REPORT_VERSION)

    def to_json(self) -> str:
        """The text of ``_receipt.json``."""
        content = {"report_version": self.report_version, **asdict(self)}
        del content["results_path"]
        if self.written_by is None:
            del content["written_by"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, results_path: str) -> LoadReport:
        """Read a report.

        :param text: of ``_receipt.json``.
        :param results_path: the folder it lies in.
        :raises ProtocolError: when it is not a report, or has a version that this package does not know.
        """
        try:
            content = decode_json(text)
            version = content.get("report_version")
            if version != REPORT_VERSION:
                raise ProtocolError(
                    f"{results_path} holds a report of version {version}, which this package cannot read"
                )
            known = {name: value for name, value in content.items() if name in cls.__dataclass_fields__}
            known["files"], known["jobs"] = tuple(content["files"]), tuple(content["jobs"])
            known["parts"] = tuple(OutputFile(**part) for part in content["parts"])
            known["unprocessed_sample"] = tuple(content.get("unprocessed_sample") or ())
            known["written_by"] = Writer.from_json(content.get("written_by"))
            return cls(**{**known, "results_path": results_path})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"{results_path}/{RECEIPT_NAME} is not a report of a load: {error}") from None

    def summary(self) -> dict[str, Any]:
        """What an operator returns to XCom: small, and enough to find the rest."""
        job_ids = [job["id"] for job in self.jobs]
        return {
            "receipt": f"{self.results_path.rstrip('/')}/{RECEIPT_NAME}" if self.results_path else None,
            "results_path": self.results_path or None,
            "records": self.counts["succeeded"],
            "job_id": job_ids[0] if job_ids else None,
            "job_ids": job_ids,
            "counts": dict(self.counts),
            "errors": {code: dict(each) for code, each in self.errors_by_code.items()},
            "unprocessed_sample": [dict(row) for row in self.unprocessed_sample],
        }

    def outline(self) -> dict[str, Any]:
        """The summary without samples, which hold parts of rows."""
        errors = {code: {"count": each["count"]} for code, each in self.errors_by_code.items()}
        return {**self.summary(), "errors": errors, "unprocessed_sample": []}
