"""The protocol of senders, which carry the rows of a load to Salesforce, and the errors that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_sfjwt.exceptions import ConfigurationError, RecordsFailedError
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.outcomes.part_outcome import PartOutcome
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef

#: Takes a part whose rows' outcomes are known, the outcomes, and its jobs as Salesforce described them last.
Settled = Callable[[JobFile, PartOutcome, list[Job]], None]


@dataclass(frozen=True)
class Interruption:
    """What a sender knows after :meth:`Sender.advance` has failed.

    :param parts: the parts that were not settled, with what is known of their rows. There are none where nothing is
        known of any row, or where a retry can look it up: then nothing is published.
    :param unanswered: what the rows are of which nothing is known, e.g. ``were not saved``.
    :param may_repeat: whether a retry may send all rows again.
    :param advice: what to do about the other rows, as a sentence of its own; empty where a retry sends them.
    """

    parts: Sequence[tuple[JobFile, PartOutcome]] = ()
    unanswered: str = ""
    may_repeat: bool = True
    advice: str = ""


class Sender(Protocol):
    """Sends the parts of a staged load and settles them: reports each part once the outcome of its rows is known."""

    @property
    def advice(self) -> str:
        """What to do about rows that Salesforce refused."""

    def advance(self) -> list[JobRef]:
        """Send what is to be sent now.

        :return: the jobs that must end before it can go on; empty when the outcome of every row is known.
        :raises SalesforceError: when it cannot go on.
        """

    def interruption(self) -> Interruption:
        """What is known after :meth:`advance` has failed."""


def may_stop(spec: LoadSpec, ledger: Ledger) -> bool:
    """Whether a load may wait for API calls once its jobs load rows: these are found again, or may be sent again.

    :param spec: the load.
    :param ledger: which job got which part.
    """
    return ledger.lasts or (spec.deferrable and spec.action.repeatable)


def unknown_insert(spec: LoadSpec, rows: int) -> RecordsFailedError:
    """The error for an insert over REST that an earlier attempt had begun.

    :param spec: the load.
    :param rows: how many rows it has.
    """
    return RecordsFailedError(
        "an earlier attempt began to insert these rows over REST, which leaves no job to look up, so it is unknown "
        "which of them were saved. Nothing was sent now. Compare the org with the source, then trigger a new run with "
        "what is missing; over transport='bulk' a load can be resumed.",
        job={},
        failed=rows,
        processed=rows,
        results_path=spec.results_path,
    )


def begun_over_bulk(job_id: str) -> ConfigurationError:
    """The error for an insert over REST that an earlier attempt had begun over Bulk API 2.0.

    :param job_id: a job of that attempt.
    """
    return ConfigurationError(
        {
            "transport": f"an earlier attempt began to insert these rows over Bulk API 2.0, in job {job_id}, and over "
            "REST they would be inserted a second time. Nothing was sent now. Give transport='bulk' again and clear "
            "the task: it sends only what was not accepted"
        },
        subject="the task",
    )
