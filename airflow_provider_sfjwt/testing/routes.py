"""Which endpoint answers which request, and the gates before it: path, session, API version, daily limit."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from airflow_provider_sfjwt.testing.bulk.ingest import BulkIngest
from airflow_provider_sfjwt.testing.bulk.jobs import Jobs
from airflow_provider_sfjwt.testing.bulk.query import BulkQueries
from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, not_found
from airflow_provider_sfjwt.testing.oauth.endpoints import OAuth, OAuthRefusalError
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions
from airflow_provider_sfjwt.testing.rest import objects as rest
from airflow_provider_sfjwt.testing.rest.collections import Collections
from airflow_provider_sfjwt.testing.rest.objects import SObjects
from airflow_provider_sfjwt.testing.rest.query import RestQueries
from airflow_provider_sfjwt.testing.settings import Switches

Endpoint = Callable[..., Answer]
_DATA = re.compile(r"/services/data/v(\d+\.\d)(/.*)?")


class Routes:
    """Finds the endpoint of a request.

    :param api_versions: those that the org speaks, oldest first.
    :param sites: paths of Experience Cloud sites, below which the OAuth endpoints are served too.
    """

    def __init__(
        self,
        switches: Switches,
        sessions: Sessions,
        oauth: OAuth,
        objects: SObjects,
        queries: RestQueries,
        bulk: BulkQueries,
        ingest: BulkIngest,
        collections: Collections,
        jobs: Jobs,
        api_versions: tuple[str, ...],
        sites: Sequence[str],
    ) -> None:
        self._switches = switches
        self._sessions = sessions
        self._oauth = oauth
        self._objects = objects
        self._queries = queries
        self._bulk = bulk
        self._ingest = ingest
        self._collections = collections
        self._jobs = jobs
        self._versions = api_versions
        self._sites = tuple(sites)
        self._count_lock = threading.Lock()
        self.api_calls = 0
        self._table = [(method, re.compile(pattern), endpoint) for method, pattern, endpoint in self._all_routes()]

    def _data_routes(self) -> list[tuple[str, str, Endpoint]]:
        objects, queries, bulk = self._objects, self._queries, self._bulk
        job = r"/jobs/query/(\w+)"
        return [
            ("GET", r"/?", lambda r, v: rest.resources(v, "")),
            ("GET", r"/limits/?", lambda r, v: self._limits()),
            ("GET", r"/sobjects/?", lambda r, v: objects.all(v)),
            ("GET", r"/sobjects/(\w+)/?", lambda r, v, name: objects.about(name, v)),
            ("GET", r"/sobjects/(\w+)/describe/?", lambda r, v, name: objects.describe(name, v)),
            ("GET", r"/sobjects/(\w+)/(\w{15}|\w{18})/?", self._record),
            ("GET", r"/sobjects/(\w+)/(\w{15}|\w{18})/(\w+)", lambda r, v, *names: objects.blob(*names)),
            ("GET", r"/query/?", lambda r, v: queries.run(r, v, False)),
            ("GET", r"/queryAll/?", lambda r, v: queries.run(r, v, True)),
            ("GET", r"/query(?:All)?/(\w+-\w+)", lambda r, v, locator: queries.more(locator, v)),
            ("POST", r"/jobs/query/?", lambda r, v: bulk.create(r, v)),
            ("GET", r"/jobs/query/?", lambda r, v: bulk.list(v)),
            ("GET", job + "/?", lambda r, v, job_id: bulk.get(job_id)),
            ("PATCH", job + "/?", lambda r, v, job_id: bulk.patch(job_id, r)),
            ("DELETE", job + "/?", lambda r, v, job_id: bulk.delete(job_id)),
            ("GET", job + "/results/?", lambda r, v, job_id: bulk.results(job_id, r, v)),
            ("GET", job + "/result[pP]ages/?", lambda r, v, job_id: bulk.result_pages(job_id, r, v)),
        ]

    def _load_routes(self) -> list[tuple[str, str, Endpoint]]:
        ingest, collections = self._ingest, self._collections
        job, many = r"/jobs/ingest/(\w+)", r"/composite/sobjects"
        sets = r"/(successfulResults|failedResults|unprocessed[rR]ecords)/?"
        return [
            ("POST", r"/jobs/ingest/?", lambda r, v: ingest.create(r, v)),
            ("GET", r"/jobs/ingest/?", lambda r, v: ingest.list(r, v)),
            ("GET", job + "/?", lambda r, v, job_id: ingest.get(job_id)),
            ("PUT", job + "/batches/?", lambda r, v, job_id: ingest.upload(job_id, r)),
            ("PATCH", job + "/?", lambda r, v, job_id: ingest.patch(job_id, r)),
            ("DELETE", job + "/?", lambda r, v, job_id: ingest.delete(job_id)),
            ("GET", job + sets, lambda r, v, job_id, which: ingest.results(job_id, which)),
            ("POST", many + "/?", lambda r, v: collections.save(r, "insert")),
            ("PATCH", many + "/?", lambda r, v: collections.save(r, "update")),
            ("DELETE", many + "/?", lambda r, v: collections.delete(r)),
            ("PATCH", many + r"/(\w+)/(\w+)/?", lambda r, v, name, key: collections.upsert(r, name, key)),
        ]

    def _all_routes(self) -> list[tuple[str, str, Endpoint]]:
        return self._data_routes() + self._load_routes()

    def _limits(self) -> Answer:
        queries, batches = self._jobs.made("query"), self._ingest.allocation.used
        return rest.limits(self._switches, self.api_calls, queries, batches)

    def _record(self, request: Request, version: str, name: str, record: str) -> Answer:
        return self._objects.record(name, record, request.parameter("fields"), version)

    def respond(self, request: Request) -> Answer:
        """Return the right answer to a request, refusals included."""
        try:
            return self._respond(request)
        except (RefusalError, OAuthRefusalError) as refusal:
            return refusal.answer()

    def _respond(self, request: Request) -> Answer:
        path = unquote(request.path)
        oauth = self._oauth_endpoint(request.method, path)
        if oauth is not None:
            return oauth(request)
        if path.rstrip("/") == "/services/data" and request.method in ("GET", "HEAD"):
            return rest.versions(self._versions)
        data = _DATA.fullmatch(path)
        if data is None:
            raise self._unknown(request)
        return self._data(request, data[1], data[2] or "")

    def _oauth_endpoint(self, method: str, path: str) -> Callable[[Request], Answer] | None:
        oauth = self._oauth
        if method == "GET" and re.fullmatch(r"/id/\w{18}/\w{18}", path):
            return oauth.identity
        head, found, name = path.partition("/services/oauth2/")
        site = head.removeprefix("/") or None
        if not found or (site is not None and site not in self._sites):
            return None
        return {
            ("POST", "token"): lambda request: oauth.token(request, site),
            ("POST", "revoke"): oauth.revoke,
            ("GET", "revoke"): oauth.revoke,
            ("POST", "introspect"): oauth.introspect,
            ("GET", "userinfo"): oauth.identity,
            ("POST", "userinfo"): oauth.identity,
        }.get((method, name))

    def _data(self, request: Request, version: str, rest_of_path: str) -> Answer:
        self._check_session(request)
        if version not in self._versions:
            raise not_found()
        with self._count_lock:
            if self.api_calls >= self._switches.daily_api_requests:
                raise RefusalError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self.api_calls += 1
            used = self.api_calls
        try:
            answer = self._dispatch(request, version, rest_of_path)
        except RefusalError as refusal:
            answer = refusal.answer()
        answer.headers.setdefault("Sforce-Limit-Info", f"api-usage={used}/{self._switches.daily_api_requests}")
        return answer

    def _dispatch(self, request: Request, version: str, rest_of_path: str) -> Answer:
        if "//" in rest_of_path:
            raise not_found()
        if not rest_of_path.startswith("/jobs/ingest"):
            self._ingest.settle()
        method = "GET" if request.method == "HEAD" else request.method
        for known, pattern, endpoint in self._table:
            match = pattern.fullmatch(rest_of_path) if known == method else None
            if match is not None:
                return endpoint(request, version, *match.groups())
        raise self._unknown(request)

    def _check_session(self, request: Request) -> None:
        header = request.headers.get("Authorization")
        if header is None:
            raise RefusalError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() not in ("bearer", "oauth") or not token or " " in token:
            raise RefusalError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        if self._sessions.find(token) is None:
            raise RefusalError(401, "INVALID_SESSION_ID", "Session expired or invalid")

    @staticmethod
    def _unknown(request: Request) -> RefusalError:
        return RefusalError(404, "NOT_FOUND", f"the simulator has no {request.method} {request.path}")
