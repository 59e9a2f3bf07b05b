"""What was deleted from an object, and how many records objects have.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/data_replication.htm
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

__all__ = ["SHORTEST_SPAN", "DeletedRecords", "deleted_records", "record_counts"]

#: Salesforce ignores the seconds of both ends, and wants more than a minute between them.
SHORTEST_SPAN = timedelta(minutes=2)


@dataclass(frozen=True)
class DeletedRecords:
    """The records of an object that were deleted in a timespan.

    :param deleted: when each was deleted, by its id of 18 characters.
    :param covered: up to when the answer is complete: the start of the next timespan. It is not later than the end that
        was asked for, and earlier while a long transaction runs in the org.
    :param available: since when Salesforce still knows what was deleted. A start before it is a gap.
    """

    deleted: dict[str, datetime]
    covered: datetime
    available: datetime


def deleted_records(session: Session, sobject: str, start: datetime, end: datetime) -> Flow[DeletedRecords]:
    """Ask which records of an object were deleted, also those that left the recycle bin.

    Salesforce ignores the seconds of both times.

    :param session: the conversation.
    :param sobject: the object's API name; its description says whether it is ``replicateable``.
    :param start: timezone-aware; at most 15 days back.
    :param end: timezone-aware; at least :data:`SHORTEST_SPAN` after the start.
    :raises ApiError: ``INVALID_REPLICATION_DATE`` when Salesforce no longer knows what was deleted since the start;
        ``EXCEEDED_ID_LIMIT`` for more than 600,000 ids.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
    """
    resource = f"sobjects/{quote(sobject, safe='')}/deleted/"
    answer = yield from session.json("GET", resource, params={"start": _asked(start), "end": _asked(end)})
    try:
        return DeletedRecords(
            {str(each["id"]): _moment(each["deletedDate"]) for each in answer["deletedRecords"]},
            _moment(answer["latestDateCovered"]),
            _moment(answer["earliestDateAvailable"]),
        )
    except (TypeError, KeyError, ValueError):
        raise ProtocolError(f"GET {resource} did not answer with deleted records and their dates") from None


def record_counts(session: Session) -> Flow[dict[str, int]]:
    """About how many records each object has.

    :param session: the conversation.
    :return: by object; Salesforce leaves out those that it has no figure of.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_record_count.htm
    """
    answer = yield from session.json("GET", "limits/recordCount")
    try:
        return {str(each["name"]): int(each["count"]) for each in answer["sObjects"]}
    except (TypeError, KeyError, ValueError):
        raise ProtocolError("GET limits/recordCount did not answer with a number of records for each object") from None


def _asked(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _moment(text: Any) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
