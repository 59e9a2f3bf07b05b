"""The section ``[salesforce_jwt]`` of Airflow's configuration."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.compat import conf
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.settings import Limits

_SECTION = "salesforce_jwt"
_DEFAULT = Limits()


def retry_policy(on_repeat: Callable[[Response | None], None] = lambda response: None) -> RetryPolicy:
    """How often requests are repeated.

    :param on_repeat: called before each repetition, with the answer to the attempt before.
    """
    return RetryPolicy(
        on_repeat=on_repeat,
        attempts=max(1, conf.getint(_SECTION, "retry_attempts", fallback=5)),
        first_delay=conf.getfloat(_SECTION, "retry_first_delay", fallback=1.0),
    )


def limits() -> Limits:
    """What a server may cost."""
    return Limits(
        answer_bytes=max(2**20, conf.getint(_SECTION, "max_answer_bytes", fallback=_DEFAULT.answer_bytes)),
        record_bytes=max(2**20, conf.getint(_SECTION, "max_record_bytes", fallback=_DEFAULT.record_bytes)),
        answer_seconds=max(1.0, conf.getfloat(_SECTION, "max_answer_seconds", fallback=_DEFAULT.answer_seconds)),
    )
