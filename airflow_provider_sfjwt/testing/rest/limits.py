"""``/limits``: what of the org's allowances is left."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.testing.http.messages import Answer, json_answer
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.settings import Settings


class Limits:
    """The resource ``/limits``.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_limits.htm

    :param api_calls: how many data API calls were made.
    :param query_jobs: how many Bulk query jobs were made.
    :param batches: how many batches of loads were processed.
    """

    def __init__(
        self,
        settings: Settings,
        api_calls: Callable[[], int],
        query_jobs: Callable[[], int],
        batches: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._api_calls = api_calls
        self._query_jobs = query_jobs
        self._batches = batches

    def routes(self) -> list[Route]:
        """Return the endpoint."""
        return [Route("GET", r"/limits/?", lambda r, v: self.answer())]

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
