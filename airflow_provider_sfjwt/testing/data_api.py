"""The data APIs below ``/services/data``, and the gates before them: session, API version, daily limit."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from airflow_provider_sfjwt.testing.apex.rest import ROOT as APEX_ROOT
from airflow_provider_sfjwt.testing.apex.rest import ApexRest
from airflow_provider_sfjwt.testing.bulk1.jobs import ROOT as BULK1_ROOT
from airflow_provider_sfjwt.testing.bulk1.jobs import Bulk1
from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, not_found
from airflow_provider_sfjwt.testing.http.routing import Resource
from airflow_provider_sfjwt.testing.identity import Identity
from airflow_provider_sfjwt.testing.oauth.endpoints import OAuth, OAuthRefusalError
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions
from airflow_provider_sfjwt.testing.rest.versions import versions
from airflow_provider_sfjwt.testing.settings import Settings

_DATA = re.compile(r"/services/data/v(\d+\.\d)(/.*)?")


class ApiCalls:
    """The data API calls of an org, counted against its daily limit."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self.count = 0

    def take(self) -> str:
        """Count one call and return the header Sforce-Limit-Info.

        :raises RefusalError: REQUEST_LIMIT_EXCEEDED where none is left; API_CURRENTLY_DISABLED for a user without API
            Enabled.
        """
        if not self._settings.api_enabled:
            raise RefusalError(403, "API_CURRENTLY_DISABLED", "API is currently disabled for this user")
        most = self._settings.daily_api_requests
        with self._lock:
            if self.count >= most:
                raise RefusalError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self.count += 1
            return f"api-usage={self.count}/{most}"


class DataApi:
    """Finds the endpoint of a data API request.

    :param resources: the parts of the APIs; the first route that matches answers.
    :param settle: processes the loads that are queued, so that every other request sees their records.
    """

    def __init__(
        self, sessions: Sessions, calls: ApiCalls, resources: Iterable[Resource], settle: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._calls = calls
        self._routes = [route for resource in resources for route in resource.routes()]
        self._settle = settle

    def respond(self, request: Request, version: str, path: str) -> Answer:
        """Answer one request.

        :param path: below ``/services/data/vXX.0``, percent-encoding undone.
        :raises RefusalError: from the gates; a refusal of an endpoint is an answer that counts as a call.
        """
        return self.counted(lambda: self.dispatch(request, version, path))

    def counted(self, endpoint: Callable[[], Answer]) -> Answer:
        """Count a call, and answer it.

        :param endpoint: makes the answer; its refusal is an answer that counts as a call.
        :raises RefusalError: where the daily limit is reached.
        """
        usage = self._calls.take()
        try:
            answer = endpoint()
        except RefusalError as refusal:
            answer = refusal.answer()
        answer.headers.setdefault("Sforce-Limit-Info", usage)
        return answer

    def dispatch(self, request: Request, version: str, path: str) -> Answer:
        """Answer a request without counting it.

        :param path: below ``/services/data/vXX.0``, percent-encoding undone.
        :raises RefusalError: of the endpoint, or where there is none.
        """
        if "//" in path:
            raise not_found()
        if not path.startswith("/jobs/ingest"):
            self._settle()
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes:
            match = route.match(method, path)
            if match is not None:
                return route.endpoint(request, version, *match.groups())
        raise unknown(request)

    def check_session(self, request: Request) -> None:
        """Refuse a request whose access token is missing, garbled or dead."""
        header = request.headers.get("Authorization")
        if header is None:
            raise RefusalError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() not in ("bearer", "oauth") or not token or " " in token:
            raise RefusalError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        if self._sessions.find(token) is None:
            raise RefusalError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def unknown(request: Request) -> RefusalError:
    """Return the refusal of a path that the simulator does not serve."""
    return RefusalError(404, "NOT_FOUND", f"the simulator has no {request.method} {request.path}")


class Front:
    """Where every request enters: OAuth, the list of API versions, Apex REST, Bulk API 1.0, or the data APIs."""

    def __init__(self, identity: Identity, oauth: OAuth, data_api: DataApi, apex: ApexRest, bulk1: Bulk1) -> None:
        self._versions = identity.api_versions
        self._oauth = oauth
        self._data_api = data_api
        self._apex = apex
        self._bulk1 = bulk1

    def respond(self, request: Request) -> Answer:
        """Return the right answer to a request, refusals included."""
        try:
            return self._respond(request)
        except (RefusalError, OAuthRefusalError) as refusal:
            return refusal.answer()

    def _respond(self, request: Request) -> Answer:
        path = unquote(request.path)
        endpoint = self._oauth.endpoint(request.method, path)
        if endpoint is not None:
            return endpoint(request)
        if path.rstrip("/") == "/services/data" and request.method in ("GET", "HEAD"):
            return versions(self._versions)
        if path.startswith(APEX_ROOT):
            self._data_api.check_session(request)
            return self._data_api.counted(lambda: self._apex.respond(request))
        if path.startswith(BULK1_ROOT):
            return self._bulk1.respond(request)
        data = _DATA.fullmatch(path)
        if data is None:
            raise unknown(request)
        self._data_api.check_session(request)
        if data[1] not in self._versions:
            raise not_found()
        return self._data_api.respond(request, data[1], data[2] or "")
