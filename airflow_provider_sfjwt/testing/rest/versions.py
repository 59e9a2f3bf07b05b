"""``/services/data``: the API versions of the org, and what it has below each."""

from __future__ import annotations

from airflow_provider_sfjwt.testing.http.messages import Answer, json_answer
from airflow_provider_sfjwt.testing.http.routing import Route

# Version 58.0 was Summer '23; there are three releases a year.
_SEASONS = ("Summer", "Winter", "Spring")
_FIRST = 58


def versions(api_versions: tuple[str, ...]) -> Answer:
    """Answer ``/services/data``: the API versions that the org speaks, oldest first; needs no session.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_versions.htm
    """
    return json_answer([{"label": _label(v), "url": f"/services/data/v{v}", "version": v} for v in api_versions])


def _label(version: str) -> str:
    number = int(float(version)) - _FIRST
    return f"{_SEASONS[number % 3]} '{23 + (number + 2) // 3:02d}"


class Versions:
    """``/services/data/vXX.0``."""

    def routes(self) -> list[Route]:
        """Return the endpoint."""
        return [Route("GET", r"/?", lambda r, v: self.resources(v))]

    def resources(self, version: str) -> Answer:
        """Answer the resources below an API version."""
        start = f"/services/data/v{version}"
        names = ("sobjects", "query", "queryAll", "limits", "jobs", "composite")
        return json_answer({name: f"{start}/{name}" for name in names} | {"identity": ""})
