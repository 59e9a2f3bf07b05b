"""``/sobjects/X/deleted`` and ``/sobjects/X/updated``: ids of the records that changed in a timespan."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted
from airflow_provider_sfjwt.testing.data.values import moment_text
from airflow_provider_sfjwt.testing.http.messages import (
    Answer,
    RefusalError,
    Request,
    json_answer,
    not_found,
    unsupported,
)
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.settings import Settings

_OLDEST_START = timedelta(days=30)
_OLDEST_DELETION = timedelta(days=15)
_SHORTEST = timedelta(minutes=1)


class Replication:
    """The two resources for data replication.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getupdated.htm
    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_getdeleted.htm
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("GET", r"/sobjects/(\w+)/deleted/?", lambda r, v, name: self.deleted(r, name)),
            Route("GET", r"/sobjects/(\w+)/updated/?", lambda r, v, name: self.updated(r, name)),
        ]

    def deleted(self, request: Request, name: str) -> Answer:
        """Answer the ids of the records that were deleted in a timespan, at most 15 days back.

        :raises RefusalError: as Salesforce words it where that is known.
        """
        sobject, start, end = self._asked(request, name)
        now = self._settings.now()
        available = self._store.delete_log_start()
        if available is not None and start < available:
            raise _bad_date(f"the delete log was purged at {moment_text(available)}; resynchronize the object")
        found = self._store.deleted_between(sobject, max(start, now - _OLDEST_DELETION), end)
        self._check(len(found))
        records = [{"deletedDate": _shown(deleted), "id": record} for record, deleted in found]
        earliest = moment_text(_to_minute(available or now - _OLDEST_START))
        covered = self._covered(start, end, now)
        return json_answer(
            {"deletedRecords": records, "earliestDateAvailable": _shown(earliest), "latestDateCovered": covered}
        )

    def updated(self, request: Request, name: str) -> Answer:
        """Answer the ids of the records that were made or changed in a timespan.

        :raises RefusalError: as Salesforce words it where that is known.
        """
        sobject, start, end = self._asked(request, name)
        sql = (
            f"SELECT Id FROM {quoted(sobject.name)} WHERE IsDeleted = 0 AND SystemModstamp >= ? AND SystemModstamp < ?"
        )
        found = self._store.select(f"{sql} ORDER BY SystemModstamp, Id", [moment_text(start), moment_text(end)])
        self._check(len(found))
        covered = self._covered(start, end, self._settings.now())
        return json_answer({"ids": [row[0] for row in found], "latestDateCovered": covered})

    def _asked(self, request: Request, name: str) -> tuple[SObject, datetime, datetime]:
        sobject = self._store.schema.find(name)
        if sobject is None:
            raise not_found()
        if not sobject.replicateable:
            # https://github.com/MinnPost/object-sync-for-salesforce/issues/109 has the message.
            message = f"sObject type {sobject.name} is not replicable"
            raise RefusalError(400, "INVALID_TYPE_FOR_OPERATION", message)
        start, end = _moment(request, "start"), _moment(request, "end")
        if end - start <= _SHORTEST:
            raise _bad_date("endDate must be at least one minute greater than startDate")
        if start < self._settings.now() - _OLDEST_START:
            raise _bad_date("startDate cannot be more than 30 days ago")
        return sobject, start, end

    def _check(self, ids: int) -> None:
        if ids > self._settings.replicated_ids:
            message = (
                f"more than {self._settings.replicated_ids} ids; choose start and end dates that are closer together"
            )
            raise RefusalError(400, "EXCEEDED_ID_LIMIT", message)

    def _covered(self, start: datetime, end: datetime, now: datetime) -> str:
        """Return ``latestDateCovered``: not later than the start of what is still under way."""
        running = self._settings.in_flight_since
        covered = min(end, now, running if running is not None else now)
        return _shown(moment_text(_to_minute(max(start, covered))))


def _moment(request: Request, name: str) -> datetime:
    """Return a parameter as a time; its seconds are ignored."""
    text = request.parameter(name)
    try:
        moment = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        raise unsupported(f"{name}={text}; give a time such as 2026-01-31T12:30:00+00:00, percent-encoded") from None
    if moment.tzinfo is None:
        raise unsupported(f"{name}={text} without a time zone")
    return _to_minute(moment.astimezone(timezone.utc))


def _to_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _shown(stored: str) -> str:
    return f"{stored[:-1]}+0000"


def _bad_date(message: str) -> RefusalError:
    return RefusalError(400, "INVALID_REPLICATION_DATE", message)
