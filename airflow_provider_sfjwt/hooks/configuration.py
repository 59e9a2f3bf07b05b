"""The section ``[salesforce_jwt]`` of Airflow's configuration."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_sfjwt.compat import conf
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.api.reserve import Reserve
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.settings import Limits

_SECTION = "salesforce_jwt"
_DEFAULT = Limits()
_RESERVE = re.compile(r"(?:(?P<calls>\d+)|(?P<percent>\d+(?:\.\d+)?) ?%)?")


def retry_policy(on_repeat: Callable[[Response | None], None] = lambda response: None) -> RetryPolicy:
    """How often requests are repeated.

    :param on_repeat: called before each repetition, with the answer to the attempt before.
    """
    return RetryPolicy(
        on_repeat=on_repeat,
        attempts=max(1, conf.getint(_SECTION, "retry_attempts", fallback=5)),
        first_delay=conf.getfloat(_SECTION, "retry_first_delay", fallback=1.0),
    )


def org_reserve() -> Reserve:
    """The API calls of 24 hours that all tasks leave to the org's other users.

    :raises ConfigurationError: naming the option, for text that is neither a number nor a percentage.
    """
    text = str(conf.get(_SECTION, "org_reserve", fallback="") or "").strip()
    found = _RESERVE.fullmatch(text)
    if found is None or float(found["percent"] or 0) > 100:
        fault = f"is '{text}': give a number of API calls, as 5000, or a share of the org's allocation, as 5%"
        raise ConfigurationError({f"[{_SECTION}] org_reserve": fault}, subject="Airflow's configuration")
    return Reserve(int(found["calls"] or 0), float(found["percent"] or 0))


def limits() -> Limits:
    """What a server may cost."""
    return Limits(
        answer_bytes=max(2**20, conf.getint(_SECTION, "max_answer_bytes", fallback=_DEFAULT.answer_bytes)),
        record_bytes=max(2**20, conf.getint(_SECTION, "max_record_bytes", fallback=_DEFAULT.record_bytes)),
        answer_seconds=max(1.0, conf.getfloat(_SECTION, "max_answer_seconds", fallback=_DEFAULT.answer_seconds)),
    )
