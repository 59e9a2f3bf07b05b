"""Ending jobs whose results nobody will fetch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef, abort_job
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

log = logging.getLogger(__name__)


def abort_jobs(session: Session, refs: Sequence[JobRef], logger: Any = log) -> Flow[None]:
    """Abort jobs, each by itself: one that cannot be aborted leaves no other running.

    :param session: the conversation.
    :param refs: the jobs. One that has ended or is gone stays as it is.
    :param logger: gets a line for each job; a warning for one that may run on.
    """
    for ref in refs:
        try:
            aborted = yield from abort_job(session, ref)
        except SalesforceError as error:
            log_still_running([ref], error, logger)
        else:
            logger.info("Job %s %s", ref.id, "was aborted" if aborted else "had already ended")


def log_still_running(refs: Sequence[JobRef], error: Exception, logger: Any = log) -> None:
    """Say which jobs may run on.

    :param refs: the jobs.
    :param error: why they could not be aborted.
    :param logger: gets a warning for each.
    """
    for ref in refs:
        logger.warning(
            "Job %s could not be aborted and may run on: %s. Abort it under Setup → Bulk Data Load Jobs.",
            ref.id,
            str(error).rstrip("."),
        )
