"""A driver without a network: it answers a flow from a list, and keeps what the flow asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Renew, Request, Response, Sleep

T = TypeVar("T")
Check = Callable[[Request], bool]
Answer = Response | TransportError

INSTANCE = "https://acme.my.example.com"
UNSENT = TransportError("no connection", request_was_sent=False)
LOST = TransportError("no answer in time", request_was_sent=True)
UNTRUSTED = TransportError("untrusted", request_was_sent=False, retryable=False)
DEAD_SESSION = Response(401, {}, b'[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]')


def ok(body: Any = None, **headers: str) -> Response:
    """A good answer: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(200, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def refusal(status: int, code: str, message: str = "no", **headers: str) -> Response:
    """An answer as Salesforce refuses with."""
    return replace(ok([{"errorCode": code, "message": message}], **headers), status=status)


def in_turn(*flows: Flow[Any]) -> Flow[list[Any]]:
    """One flow that goes through several."""
    results = []
    for each in flows:
        results.append((yield from each))
    return results


class MemoryBody:
    """A body that is all there, given out in pieces."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer[:5])


class Script:
    """Carries flows to the end of a list of answers.

    :param answers: one for each request, alone or with a check that the request must pass.
    """

    def __init__(self, *answers: Answer | tuple[Check, Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []
        self.uploads: list[bytes] = []
        self.slept: list[float] = []
        self.tokens = [Token("token-1", INSTANCE)]

    def run(self, flow: Flow[T]) -> T:
        """Carry a flow; every answer must be used up by its end, good or bad."""
        answer: Any = None
        try:
            while True:
                step = flow.throw(answer) if isinstance(answer, TransportError) else flow.send(answer)
                answer = self._carry(step)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()
            assert not self._answers, f"{len(self._answers)} answers were not asked for"

    def _carry(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            return self.slept.append(step.seconds)
        if isinstance(step, Renew):
            if step.stale is not None and step.stale.value == self.tokens[-1].value:
                self.tokens.append(Token(f"token-{len(self.tokens) + 1}", INSTANCE))
            return self.tokens[-1]
        return self._answer(step)

    def _answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.source is not None:
            with request.source() as file:
                self.uploads.append(file.read())
        assert self._answers, f"nothing is scripted for {request}"
        entry = self._answers.pop(0)
        check, answer = entry if isinstance(entry, tuple) else (None, entry)
        assert check is None or check(request), f"not the request that was expected: {request.method} {request.url}"
        if isinstance(answer, Response) and answer.ok and request.sink is not None:
            return replace(answer, body=b"", sunk=request.sink(answer, MemoryBody(answer.body)))
        return answer

    @property
    def paths(self) -> list[str]:
        """What was asked for, by method and path with its query string."""
        return [f"{each.method} {each.url.removeprefix(INSTANCE)}" for each in self.requests]

    @property
    def bearers(self) -> list[str]:
        """The tokens with which it was asked."""
        return [each.headers["Authorization"].removeprefix("Bearer ") for each in self.requests]
