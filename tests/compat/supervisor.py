"""A worker's supervisor, as far as Variables go, with what may go wrong in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import (
    DeleteVariable,
    ErrorResponse,
    GetVariable,
    MaskSecret,
    PutVariable,
    VariableResult,
)

_COMMS = "airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS"


class Supervisor:
    """Answers as Airflow's does.

    :param failing: kinds of messages to which the API server answers 500.
    :param losing: whether a write is confirmed and not kept.
    :param blind: how many reads say "not found" of what is there, as when the API server's database does not answer.
    """

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.descriptions: dict[str, str] = {}
        self.failing: tuple[type, ...] = ()
        self.fail_after = 0
        self.losing = False
        self.blind = 0
        self.together = 0
        self._busy = threading.Lock()

    def send(self, msg: Any) -> Any:
        """Answer a message. Two at a time would get each other's answers."""
        if not self._busy.acquire(blocking=False):
            self.together += 1
            raise AssertionError("two threads send at a time")
        try:
            time.sleep(0)
            return self._answer(msg)
        finally:
            self._busy.release()

    def _answer(self, msg: Any) -> Any:
        if isinstance(msg, self.failing):
            self.fail_after -= 1
            if self.fail_after < 0:
                raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500}))
        match msg:
            case GetVariable(key=key):
                if self.blind or key not in self.variables:
                    self.blind = max(0, self.blind - 1)
                    return ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": key})
                return VariableResult(key=key, value=self.variables[key])
            case PutVariable(key=key, value=value, description=description):
                if not self.losing:
                    self.variables[key], self.descriptions[key] = str(value), str(description)
                return None
            case DeleteVariable(key=key):
                self.variables.pop(key, None)
                return None
            case MaskSecret():
                return None
        raise NotImplementedError(type(msg))


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """The one of this process."""
    running = Supervisor()
    monkeypatch.setattr(_COMMS, running, raising=False)
    yield running
    assert running.together == 0
