"""``/limits``: what of the org's allowances is left, and how many records there are."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.http.messages import Answer, Request, json_answer
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.settings import Settings


class Limits:
    """The resource ``/limits``.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_limits.htm

    :param api_calls: how many data API calls were made.
    :param query_jobs: how many Bulk query jobs were made.
    :param batches: how many batches of loads were processed.
    :param store: the records.
    """

    def __init__(
        self,
        settings: Settings,
        api_calls: Callable[[], int],
        query_jobs: Callable[[], int],
        batches: Callable[[], int],
        store: Store,
    ) -> None:
        self._store = store
        self._settings = settings
        self._api_calls = api_calls
        self._query_jobs = query_jobs
        self._batches = batches

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("GET", r"/limits/?", lambda r, v: self.answer()),
            Route("GET", r"/limits/recordCount/?", lambda r, v: self.record_count(r)),
        ]

    def record_count(self, request: Request) -> Answer:
        """Answer the number of records of each object that is named, or of all; what is unknown is left out.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_record_count.htm
        """
        asked = request.parameter("sObjects")
        schema = self._store.schema
        named = list(schema) if asked is None else [schema.find(name.strip()) for name in asked.split(",")]
        counts = [
            {"count": self._store.count_alive(sobject), "name": sobject.name}
            for sobject in named
            if sobject is not None and sobject.queryable
        ]
        return json_answer({"sObjects": counts})

    def answer(self) -> Answer:
        """Answer the limits."""
        settings = self._settings
        return json_answer(
            {
                "DailyApiRequests": _limit(settings.daily_api_requests, self._api_calls()),
                "DailyAsyncApexExecutions": _limit(250_000),
                "DailyBulkApiBatches": _limit(settings.daily_bulk_batches, self._batches()),
                "DailyBulkV2QueryFileStorageMB": _limit(976_562),
                "DailyBulkV2QueryJobs": _limit(settings.daily_bulk_query_jobs, self._query_jobs()),
                "DataStorageMB": _limit(1024),
                "FileStorageMB": _limit(1024),
                "HourlyPublishedPlatformEvents": _limit(50_000),
            }
        )


def _limit(most: int, used: int = 0) -> dict[str, int]:
    return {"Max": most, "Remaining": max(0, most - used)}
