"""State of tasks and assets as Airflow Variables, for an Airflow without state stores of its own."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

#: Before Airflow 3.2 a worker's connection to its supervisor does not keep the answers to two threads apart.
one_message_at_a_time = threading.Lock()


class StateStore(Protocol):
    """Small values that outlive the process: Airflow's state store of a task instance or of an asset."""

    def get(self, key: str) -> Any:
        """The value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""

    def delete(self, key: str) -> None:
        """Forget a value."""


class StateNotKeptError(RuntimeError):
    """Airflow did not keep or did not return what a task must remember. A retry may succeed."""


class VariableStore:
    """State as Airflow Variables.

    It sends the messages of ``airflow.sdk.Variable`` itself: there, a write that failed returns None as one that
    succeeded does, and a read that failed returns the default. A load that took that for the truth would send rows
    twice.

    :param kind: ``task`` or ``asset``; it begins the Variables' names.
    :param scope: whose state it is.
    :param owner: the same in words, for the Variables' descriptions.
    :param why: why this Airflow needs Variables, for the messages of errors.
    """

    def __init__(self, kind: str, scope: tuple[str, ...], owner: str, why: str) -> None:
        self._kind = kind
        self._scope = scope
        self._owner = owner
        self._why = why

    def name(self, key: str) -> str:
        """The Variable of a value. Ids may hold what a URL or the masker would take for something else.

        :param key: of the value.
        """
        digest = hashlib.sha256(json.dumps([*self._scope, key]).encode()).hexdigest()
        return f"salesforce_jwt.{self._kind}.{digest[:32]}"

    def get(self, key: str) -> Any:
        """The value, or None where it is certain that there is none.

        Airflow's API server answers "not found" also where its database did not answer. So "not found" counts only
        after a value was written and read.

        :param key: of the value.
        :raises StateNotKeptError: when it cannot be told.
        """
        value = self.find(key)
        if value is None:
            # A name of its own: several runs may look for the value at the same time.
            probe = f"probe {uuid.uuid4().hex} of {key}"
            self.set(probe, 1)
            value = self.find(key)
            self.delete(probe)
        return value

    def set(self, key: str, value: Any) -> None:
        """Keep a value, and read it again.

        :param key: of the value.
        :param value: of JSON's types.
        :raises StateNotKeptError: when Airflow fails or has something else.
        """
        from airflow.sdk.execution_time.comms import PutVariable

        text = json.dumps(value)
        about = f"{key} of {self._owner}; kept by airflow-provider-sfjwt"
        self._send(PutVariable(key=self.name(key), value=text, description=about))
        if self._read(key) != text:
            raise self._error("it reads differently after it was written")

    def delete(self, key: str) -> None:
        """Forget a value.

        :param key: of the value.
        :raises StateNotKeptError: when Airflow fails.
        """
        from airflow.sdk.execution_time.comms import DeleteVariable

        self._send(DeleteVariable(key=self.name(key)))

    def find(self, key: str) -> Any:
        """The value, or None where Airflow says that there is none.

        :param key: of the value.
        :raises StateNotKeptError: when Airflow fails.
        """
        text = self._read(key)
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            raise self._error(
                f"the Variable '{self.name(key)}' is not JSON, so somebody has changed it; correct it"
            ) from None

    def _read(self, key: str) -> str | None:
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

        answer = self._send(GetVariable(key=self.name(key)))
        if isinstance(answer, ErrorResponse) and answer.error.name == "VARIABLE_NOT_FOUND":
            return None
        if not isinstance(answer, VariableResult) or answer.key != self.name(key):
            raise self._error(f"Airflow answered {answer}")
        return answer.value

    def _send(self, message: Any) -> Any:
        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time import task_runner

        try:
            with one_message_at_a_time:
                return task_runner.SUPERVISOR_COMMS.send(message)
        except AirflowRuntimeError as error:
            raise self._error(str(error)) from error

    def _error(self, reason: str) -> StateNotKeptError:
        return StateNotKeptError(
            f"{self._why}, and Airflow could not keep or find one of {self._owner}: {reason}. The task ends here, "
            "since without it a retry could send rows twice. See that tasks may read and write Variables, and run it "
            "again"
        )


class TakenAlong:
    """Airflow's store, which takes over from the Variables what an Airflow before 3.3 kept there.

    :param store: Airflow's.
    :param variables: what may be left in them. Each is deleted once its value was asked for, replaced or deleted.
    """

    def __init__(self, store: StateStore, variables: VariableStore) -> None:
        self._store = store
        self._variables = variables
        self._cleared: set[str] = set()

    def get(self, key: str) -> Any:
        """The value, or None.

        :param key: of the value.
        :raises StateNotKeptError: when it cannot be told.
        """
        value = self._store.get(key)
        if value is None and key not in self._cleared:
            value = self._variables.get(key)
            if value is None:
                self._cleared.add(key)
                return None
            self._store.set(key, value)
        self._clear(key)
        return value

    def set(self, key: str, value: Any) -> None:
        """Keep a value.

        :param key: of the value.
        :param value: of JSON's types.
        :raises StateNotKeptError: when an older value stays.
        """
        self._store.set(key, value)
        self._clear(key)

    def delete(self, key: str) -> None:
        """Forget a value.

        :param key: of the value.
        :raises StateNotKeptError: when an older value stays.
        """
        self._clear(key)
        self._store.delete(key)

    def _clear(self, key: str) -> None:
        """Let no later attempt find an older value."""
        if key not in self._cleared:
            self._variables.delete(key)
            self._cleared.add(key)


class CopiedStore:
    """Airflow's store of a task, with copies in Variables, which a Clear does not discard.

    :param store: Airflow's.
    :param variables: where the copies are; they also take over what an Airflow before 3.3 kept.
    """

    def __init__(self, store: StateStore, variables: VariableStore) -> None:
        self._store = store
        self._variables = variables
        self._copied: set[str] = set()
        self._looked_for: set[str] = set()

    def get(self, key: str) -> Any:
        """The value, or None.

        :param key: of the value.
        :raises StateNotKeptError: when it cannot be told, or when Airflow does not keep the copy.
        """
        value = self._store.get(key)
        if key in self._looked_for:
            return value
        if value is None:
            value = self._variables.get(key)
            if value is not None:
                self._store.set(key, value)
        elif self._variables.find(key) != value:
            # Airflow 3.3, or an attempt that ended in the middle, has left no copy or an older one.
            self._variables.set(key, value)
        self._looked_for.add(key)
        if value is not None:
            self._copied.add(key)
        return value

    def set(self, key: str, value: Any) -> None:
        """Keep a value, and its copy.

        :param key: of the value.
        :param value: of JSON's types.
        :raises StateNotKeptError: when Airflow does not keep the copy.
        """
        self._store.set(key, value)
        self._variables.set(key, value)
        self._looked_for.add(key)
        self._copied.add(key)

    def delete(self, key: str) -> None:
        """Forget a value, and its copy.

        :param key: of the value.
        :raises StateNotKeptError: when the copy stays.
        """
        self._variables.delete(key)
        self._store.delete(key)
        self._copied.discard(key)

    def delete_copies(self, keys: Iterable[str]) -> None:
        """Leave values to Airflow's store alone: from now on a Clear may discard them.

        :param keys: of the values, in the order in which their copies are deleted.
        :raises StateNotKeptError: when a copy stays.
        """
        for key in keys:
            if key in self._copied:
                self._variables.delete(key)
                self._copied.discard(key)
