"""What stands between the network and the endpoints: scripted faults, and the log of requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_sfjwt.testing.http.faults import Fault, FaultScript
from airflow_provider_sfjwt.testing.http.messages import Answer, Request
from airflow_provider_sfjwt.testing.settings import Settings

_MAX_URI = 16_384


@dataclass(frozen=True)
class LoggedRequest:
    """One request that the org has seen; neither its body nor its headers are kept.

    :param path: without the query string.
    :param query: the query string, may be empty.
    :param status: of the answer; 0 where the connection was reset before the request was processed.
    :param at: when it came, by the org's clock.
    """

    method: str
    path: str
    query: str
    status: int
    at: datetime


class Gateway:
    """Answers requests with the faults that a test scripted.

    :param respond: makes the right answer to a request.
    :param expire_sessions: what a fault that ends sessions calls.
    """

    def __init__(
        self,
        settings: Settings,
        script: FaultScript,
        respond: Callable[[Request], Answer],
        expire_sessions: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._script = script
        self._respond = respond
        self._expire_sessions = expire_sessions
        self.log: list[LoggedRequest] = []

    @property
    def compresses(self) -> bool:
        """Whether to compress answers for clients that accept gzip."""
        return self._settings.gzip

    def now(self) -> datetime:
        """Return the org's time, UTC."""
        return self._settings.now()

    def due(self, request: Request) -> list[Fault]:
        """Count a request and return the faults that hit it."""
        return self._script.due(request.method, request.target)

    def answer(self, request: Request, due: list[Fault]) -> Answer:
        """Return the right answer with the changes of the faults, or what a fault says instead."""
        if any(fault.expire_session for fault in due):
            self._expire_sessions()
        instead = next((fault for fault in due if fault.status is not None), None)
        if instead is not None:
            return instead.instead()
        if len(request.target) > _MAX_URI:
            return Answer(414, b"URI Too Long", {"Content-Type": "text/html"})
        answer = self._respond(request)
        for fault in due:
            answer = fault.edited(answer)
        return answer

    def record(self, request: Request, status: int, at: datetime) -> None:
        """Log a request.

        :param status: of the answer; 0: the connection was reset instead.
        """
        self.log.append(LoggedRequest(request.method, request.path, request.query_string, status, at))
