"""Why a row was refused, as a load's failed results spell it in one cell.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/get_job_failed_results.htm
"""

from __future__ import annotations

import re

from airflow_provider_sfjwt.exceptions import ErrorItem

#: The code of an error that has none.
UNKNOWN = "UNKNOWN"
#: Errors that pass: the row was not saved, and may well be when it is sent again. Salesforce's own words for them:
#: "a deadlock or timeout condition has been detected", "a request that has taken too long to be processed is stopped",
#: "a necessary server for this call is unavailable", "your policy couldn't be evaluated in time".
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
#: https://help.salesforce.com/s/articleView?id=000387767&type=1
RETRIABLE = frozenset(
    {"UNABLE_TO_LOCK_ROW", "REQUEST_RUNNING_TOO_LONG", "SERVER_UNAVAILABLE", "TXN_SECURITY_METERING_ERROR"}
)

_CODE = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)\s*:(.*)", re.DOTALL)
_FIELD = re.compile(r"[A-Za-z][\w.]*")
_BETWEEN_FIELDS = re.compile(r"[\s,]+")


def parse_row_error(text: str) -> ErrorItem:
    """Read the cell ``sf__Error``: ``CODE:message:field list --``.

    :param text: the cell.
    :return: code, message and fields. What does not have that form becomes the message as a whole, and nothing of it
        is dropped.
    """
    match = _CODE.fullmatch(text)
    if match is None:
        return ErrorItem(UNKNOWN, text.strip())
    code, rest = match[1], match[2].strip()
    if rest.endswith("--"):
        message, colon, fields = rest.removesuffix("--").rpartition(":")
        names = _BETWEEN_FIELDS.split(fields.strip()) if fields.strip() else []
        if colon and all(map(_FIELD.fullmatch, names)):
            return ErrorItem(code, message.strip(), tuple(names))
    return ErrorItem(code, rest)


def is_retriable(error: ErrorItem) -> bool:
    """Whether a row may well be saved when it is sent again.

    A lock that a trigger ran into is reported by the trigger's own error, whose message names the lock.

    :param error: why the row was refused.
    """
    return error.code in RETRIABLE or "UNABLE_TO_LOCK_ROW" in error.message
