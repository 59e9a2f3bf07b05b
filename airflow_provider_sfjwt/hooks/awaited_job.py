"""A Bulk API 2.0 job that somebody else started and whose end is waited for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, api_version_of, argument
from airflow_provider_sfjwt.exceptions import BulkJobError
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef, completed, decode_job, get_job
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm#i1435616
_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)


def job_id(value: Any) -> str | None:
    """The id of a job.

    :param value: what was given.
    """
    if fault := arguments.name(value):
        return fault
    if _RECORD_ID.fullmatch(value):
        return None
    return f"'{value}' is not the id of a job, which has 15 or 18 letters and digits, e.g. 7505e0000000001AAA"


@dataclass(frozen=True, kw_only=True)
class AwaitedJob(OrgSpec):
    """The job whose end is waited for.

    :param job_id: its id.
    :param job_type: ``query`` or ``ingest``.
    """

    job_id: str = argument(job_id)
    job_type: str = argument(arguments.one_of("query", "ingest"), default="query")

    @property
    def ref(self) -> JobRef:
        """The job, in the session's version of the API where the author named none."""
        return JobRef(self.job_id, api_version_of(self.api_version and str(self.api_version)) or "", self.job_type)

    def ended(self, session: Session) -> Flow[dict[str, Any] | None]:
        """Look at the job.

        :param session: the conversation.
        :return: what :meth:`outcome` returns, or None while the job has not ended.
        """
        job = yield from get_job(session, self.ref)
        return self.outcome(job.info) if job.ended else None

    def outcome(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """What Salesforce says of a job that has ended well.

        :param info: what it says of the job, which has ended.
        :raises BulkJobError: when the job failed or was aborted. Looking again does not help, as a new job might.
        """
        try:
            return completed(decode_job(dict(info), self.ref)).info
        except BulkJobError as failure:
            raise failure.with_message(str(failure), retryable=False) from None
