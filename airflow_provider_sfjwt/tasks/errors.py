"""How an operator's errors reach Airflow: once, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_sfjwt.compat import AirflowFailException
from airflow_provider_sfjwt.exceptions import SalesforceError


@contextmanager
def airflow_outcome(operator: Any) -> Iterator[None]:
    """Let retryable errors pass, so that Airflow retries; end the task for good after any other.

    :param operator: where its author gave a ``retry_policy``, all errors pass as they are, for the policy to match.
    :raises AirflowFailException: for an error that no retry can mend.
    """
    try:
        yield
    except SalesforceError as error:
        if error.retryable or getattr(operator, "retry_policy", None) is not None:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
