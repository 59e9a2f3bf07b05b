"""How an operator's errors reach Airflow, with what to do next in Airflow: once, in one place.

Airflow's UI shows a failure as the last lines of a log whose lines it cuts at the pane's edge. So the message of what a
task raises begins with what is wrong and what to change, no other exception stands beside it, and the whole explanation
comes before it in short lines.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_sfjwt.compat import AirflowFailException
from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    BulkJobAbortedError,
    BulkJobTimeoutError,
    ConfigurationError,
    NotFoundError,
    ObjectsFailedError,
    ProtocolError,
    RequestLimitError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.org.progress import LINE

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
    (
        ProtocolError,
        "Nothing was published. Clearing the task asks Salesforce anew, which helps where the answer was damaged on "
        "its way.",
    ),
    (SalesforceError, "Nothing was published."),
)
SHARE_ADVICE: Advice = (
    (NotFoundError, "Nothing was published."),
    (SalesforceError, "Nothing was published. A retry of this task alone goes on, and keeps the pages that it has."),
)
SYNC_ADVICE: Advice = (
    (ObjectsFailedError, ""),
    (SalesforceError, "What other objects have published stands."),
)
LOAD_ADVICE: Advice = (
    (
        BulkJobTimeoutError,
        "A retry picks the jobs up where they are; give the task a longer timeout if the org is that busy.",
    ),
)
#: Before the remedy, which stands in a line of its own.
_WHAT_TO_DO = "What to do: "
#: What Salesforce puts before its reason: the query, and where in it the fault is.
_PLACE_IN_QUERY = re.compile(r"ERROR at Row:\d+:Column:\d+\s*")


@contextmanager
def airflow_outcome(operator: Any, advice: Advice = ()) -> Iterator[None]:
    """Let retryable errors pass, so that Airflow retries; end the task for good after any other.

    What is raised has no ``__cause__``, so that Airflow shows it alone; the error as it was is its ``__context__``.

    :param operator: where its author gave a ``retry_policy``, all errors keep their types, for the policy to match.
    :param advice: what to do next, by the kind of the error. It ends the message.
    :raises AirflowFailException: for an error that no retry can mend.
    """
    try:
        yield
    except SalesforceError as error:
        next_step = next((text for kind, text in advice if isinstance(error, kind)), "")
        if isinstance(error, ProtocolError) and error.remedy:
            next_step = next_step.partition(". ")[0]  # the error itself knows what helps
        message = _joined(message_of(error), next_step)
        passes = error.retryable or getattr(operator, "retry_policy", None) is not None
        log = operator.log.warning if passes else operator.log.error
        for line in lines_of(error, next_step):
            log("%s", line)
        for line in _remedy(error, next_step):
            log("%s", line)
        if passes:
            raise error.with_message(message, retryable=error.retryable) from None
        raise AirflowFailException(message) from None


def message_of(error: SalesforceError) -> str:
    """What a failed task says: first what is wrong and what to change, then everything else.

    :param error: why it failed.
    """
    whole = _faults(error) if isinstance(error, ConfigurationError) else str(error)
    first = error.brief
    if not first and isinstance(error, ApiError) and error.items:
        code, said, _ = error.items[0]
        argument = f"{error.argument}: " if error.argument else ""
        first = _joined(f"{argument}{code}: {reason_of(said)}", error.remedy)
    if not first and isinstance(error, TransportError) and error.remedy:
        first = _joined(error.cause, error.remedy)
    return _joined(first, whole) if first and not whole.startswith(first) else whole


def reason_of(said: str) -> str:
    """The first sentence of Salesforce's message, without the query that it begins with.

    :param said: the message.
    """
    return " ".join(_PLACE_IN_QUERY.split(said)[-1].split()).partition(". ")[0]


def lines_of(error: SalesforceError, next_step: str = "") -> list[str]:
    """The whole explanation in lines that the log pane shows to their ends.

    :param error: why the task failed.
    :param next_step: what to do in Airflow.
    """
    texts = _labelled(error) if isinstance(error, ConfigurationError) else [_explained(error)]
    pieces = [piece for text in (*texts, next_step) for piece in text.split("; ")]
    return [line for piece in pieces for line in textwrap.wrap(piece, LINE, subsequent_indent="  ")]


def _explained(error: SalesforceError) -> str:
    """The message, without the short remedy of a refused sign-in, which has a line of its own."""
    if isinstance(error, AuthenticationError) and error.short_remedy:
        return str(error).replace(f"{error.cause}: {error.short_remedy}", error.cause, 1)
    return str(error)


def _remedy(error: SalesforceError, next_step: str) -> list[str]:
    """What to do, in a line of its own, and the page of Salesforce Setup in another one; empty where nobody knows."""
    what = error.remedy.partition(". ")[0] or next_step.partition(". ")[2] or next_step
    if isinstance(error, AuthenticationError) and error.short_remedy:
        what = error.short_remedy
    if isinstance(error, ConfigurationError):
        what = f"Correct {', '.join(error.fields)}"
    if len(what) > LINE - len(_WHAT_TO_DO):
        what = what.partition(": ")[0]  # the reason follows, which the whole explanation has
    lines = textwrap.wrap(f"{_WHAT_TO_DO}{what.rstrip('.')}.", LINE, subsequent_indent="  ") if what else []
    return [*lines, f"Where: Salesforce Setup, {error.setup_page}."] if error.setup_page else lines


def check_event(event: Mapping[str, Any]) -> None:
    """Raise what a trigger could only report.

    :param event: its payload.
    :raises SalesforceError: when the waiting came to no good end.
    """
    if event["status"] in ("timeout", "error"):
        raise SalesforceError(event["message"], retryable=event["retryable"])


def _faults(error: ConfigurationError) -> str:
    """All faults, after the names of what to change: the first fault alone may be longer than a line."""
    faults = "; ".join(_labelled(error))
    return f"Correct {', '.join(error.fields)}. {faults}" if len(error.fields) > 1 else faults


def _labelled(error: ConfigurationError) -> list[str]:
    """Each fault after its label, and after the connection that the label belongs to where it is not the task's."""
    whose = f" ({error.subject})" if "connection" in error.subject else ""
    return [f"{label}{whose}: {fault}" for label, fault in error.fields.items()]


def _joined(*sentences: str) -> str:
    """Sentences one after another, with a full stop between them."""
    given = [each for each in sentences if each]
    return " ".join([*(f"{each.rstrip('.')}." for each in given[:-1]), *given[-1:]])
