"""Scripted faults: what goes wrong, at which request, and how often."""

from __future__ import annotations

import fnmatch
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_sfjwt.testing.http.messages import Answer


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. Several faults may meet in one request.

    :param method: ``GET``, ``POST``…; ``*``: any.
    :param path: shell pattern of the path and, after a question mark, the query string, as sent.
    :param nth: the first matching request to hit, counted from 1 since the fault was added.
    :param times: how many matching requests to hit from there on; None: all.
    :param status: answer this instead of processing the request. 200 is a status like any other.
    :param body: with ``status``: the body.
    :param headers: with ``status``: the headers.
    :param reset: reset the connection before anything is answered; the request is not processed.
    :param cut_after: close the connection after so many bytes of the body, which was announced whole.
    :param cut_at: the same, as a fraction of the body, 0 to 1.
    :param expire_session: end all sessions just before the request, which is then answered 401.
    :param delay: seconds to wait before the request is processed.
    :param edit_json: changes the decoded JSON object of the right answer; an error's JSON stays as it is.
    :param edit_body: changes the bytes of the right answer, before compression.
    :param edit_headers: changes the headers of the right answer. A ``Date`` takes the place of the org's own; an empty
        one leaves it out.
    :param lose_answer: process the request, then close the connection without an answer.
    """

    method: str = "*"
    path: str = "*"
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    cut_after: int | None = None
    cut_at: float | None = None
    expire_session: bool = False
    delay: float = 0.0
    edit_json: Callable[[Any], Any] | None = None
    edit_body: Callable[[bytes], bytes] | None = None
    edit_headers: Callable[[dict[str, str]], dict[str, str]] | None = None
    lose_answer: bool = False

    @property
    def cuts(self) -> bool:
        """Whether it breaks off the body."""
        return self.cut_after is not None or self.cut_at is not None

    def instead(self) -> Answer:
        """Return the answer that takes the place of the right one."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return Answer(self.status or 500, body, dict(self.headers))

    def edited(self, answer: Answer) -> Answer:
        """Return the right answer with this fault's changes."""
        body: Any = answer.body
        # The list that refuses a dead session is no page of rows: an edit that failed on it would break the connection.
        if self.edit_json is not None and answer.status < 400:
            body = json.dumps(self.edit_json(json.loads(answer.whole_body())), ensure_ascii=False).encode()
        if self.edit_body is not None:
            body = self.edit_body(Answer(200, body).whole_body())
        headers = answer.headers if self.edit_headers is None else self.edit_headers(dict(answer.headers))
        return Answer(answer.status, body, headers)

    def bytes_before_cut(self, length: int) -> int:
        """Return how much of a body of that length is sent."""
        if self.cut_after is not None:
            return min(self.cut_after, length)
        return int(length * (self.cut_at or 0))


class FaultScript:
    """The faults of an org, each with its own count of the requests that it has seen."""

    def __init__(self) -> None:
        self._seen: list[tuple[Fault, list[int]]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault; its count begins now."""
        with self._lock:
            self._seen.append((fault, [0]))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._seen.clear()

    def due(self, method: str, target: str) -> list[Fault]:
        """Count a request and return the faults that hit it.

        :param target: path and query string as sent.
        """
        due = []
        with self._lock:
            for fault, count in self._seen:
                if fault.method not in ("*", method) or not fnmatch.fnmatchcase(target, fault.path):
                    continue
                count[0] += 1
                if count[0] >= fault.nth and (fault.times is None or count[0] < fault.nth + fault.times):
                    due.append(fault)
        return due
