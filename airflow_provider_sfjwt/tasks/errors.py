"""How an operator's errors reach Airflow, with what to do next in Airflow: once, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_sfjwt.compat import AirflowFailException
from airflow_provider_sfjwt.exceptions import (
    BulkJobAbortedError,
    BulkJobTimeoutError,
    ProtocolError,
    RequestLimitError,
    SalesforceError,
)

#: What to do, by the kind of the error; the first kind that fits counts.
Advice = Sequence[tuple[type[SalesforceError], str]]

EXTRACT_ADVICE: Advice = (
    (
        BulkJobTimeoutError,
        "Nothing was published. A retry picks the job up where it is; give the task a longer timeout if the org is "
        "that busy.",
    ),
    (BulkJobAbortedError, "Nothing was published. A retry starts a new job."),
    (RequestLimitError, "Nothing was published. With deferrable=True the task waits by itself."),
    (ProtocolError, "Nothing was published. Clear the task to run it again."),
    (SalesforceError, "Nothing was published."),
)
LOAD_ADVICE: Advice = (
    (
        BulkJobTimeoutError,
        "A retry picks the jobs up where they are; give the task a longer timeout if the org is that busy.",
    ),
)


@contextmanager
def airflow_outcome(operator: Any, advice: Advice = ()) -> Iterator[None]:
    """Let retryable errors pass, so that Airflow retries; end the task for good after any other.

    :param operator: where its author gave a ``retry_policy``, all errors pass as they are, for the policy to match.
    :param advice: what to do next, by the kind of the error. It ends the message of an error that ends the task, and
        is logged for one that passes.
    :raises AirflowFailException: for an error that no retry can mend.
    """
    try:
        yield
    except SalesforceError as error:
        next_step = next((text for kind, text in advice if isinstance(error, kind)), "")
        if error.retryable or getattr(operator, "retry_policy", None) is not None:
            if next_step:
                operator.log.warning("%s", next_step)
            raise
        message = f"{type(error).__name__}: {error}"
        raise AirflowFailException(f"{message.rstrip('.')}. {next_step}" if next_step else message) from error


def check_event(event: Mapping[str, Any]) -> None:
    """Raise what a trigger could only report.

    :param event: its payload.
    :raises SalesforceError: when the waiting came to no good end.
    """
    if event["status"] in ("timeout", "error"):
        raise SalesforceError(event["message"], retryable=event["retryable"])
