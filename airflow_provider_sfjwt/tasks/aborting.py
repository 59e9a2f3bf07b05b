"""Aborting the jobs of a task that Airflow ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import AirflowException, AirflowRuntimeError
from airflow_provider_sfjwt.exceptions import SalesforceError

if TYPE_CHECKING:
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef


def abort_each(hook: SalesforceJwtHook, refs: Sequence[JobRef], logger: Any) -> None:
    """Abort jobs, each by itself, over a connection of their own: Airflow calls ``on_kill`` in the midst of a task.

    :param hook: leads to the org that they run in.
    :param refs: the jobs.
    :param logger: of the task; gets a line for each job.
    """
    from airflow_provider_sfjwt.salesforce.org.unwanted_jobs import abort_jobs, log_still_running

    try:
        with hook.connect() as org:
            org.run(abort_jobs, refs, logger)
    except (SalesforceError, AirflowException, AirflowRuntimeError) as error:  # before there was a connection
        log_still_running(refs, error, logger)
