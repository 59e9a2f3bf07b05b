"""Airflow's REST API, as far as the demo and the tests need it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests

from tests.local_airflow.processes import LocalAirflowError

_TIMEOUT = 60
#: Seconds for which the metadata database may be locked: it is a file of SQLite, and others write, too.
_LOCKED = 60


class RestApi:
    """A client that fetches its token by itself; the local Airflow gives one to anybody.

    :param url: of the API server.

    https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # A proxy of the environment must not come between us and 127.0.0.1.
        self._session.trust_env = False

    def answers(self) -> bool:
        """Whether somebody answers at all."""
        try:
            return self._session.get(f"{self._url}/api/v2/version", timeout=_TIMEOUT).ok
        except requests.ConnectionError:
            return False

    def health(self) -> Mapping[str, Mapping[str, str | None]]:
        """State and last heartbeat of each component."""
        answer: dict[str, dict[str, str | None]] = self._session.get(
            f"{self._url}/api/v2/monitor/health", timeout=_TIMEOUT
        ).json()
        return answer

    def request(self, method: str, path: str, json: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Call the API.

        :param method: of HTTP.
        :param path: below ``/api/v2``.
        :param json: body, or None.
        :param params: of the query string, or None.
        :return: the decoded answer, or None without one.
        :raises LocalAirflowError: when it is refused.
        """
        answer = self._send(method, path, json, params)
        if answer.status_code == 401:
            self._sign_in()
            answer = self._send(method, path, json, params)
        waited_until = time.monotonic() + _LOCKED
        while _was_locked(answer) and time.monotonic() < waited_until:
            time.sleep(0.5)
            answer = self._send(method, path, json, params)
        if not answer.ok:
            raise LocalAirflowError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def found(self, path: str) -> Any:
        """GET what may not be there yet.

        :param path: below ``/api/v2``.
        :return: the decoded answer, or None for 404.
        """
        try:
            return self.request("GET", path)
        except LocalAirflowError as error:
            if f"GET {path}: 404 " in str(error):
                return None
            raise

    def _send(self, method: str, path: str, json: Any, params: Mapping[str, Any] | None) -> requests.Response:
        url = f"{self._url}/api/v2/{path.lstrip('/')}"
        return self._session.request(method, url, json=json, params=params, timeout=_TIMEOUT)

    def _sign_in(self) -> None:
        answer = self._session.get(f"{self._url}/auth/token", timeout=_TIMEOUT)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _was_locked(answer: requests.Response) -> bool:
    """Whether the database refused what was asked for, which was undone then.

    Airflow 3.2 says only that much where the record of the request, which it writes first, meets a lock.
    """
    return answer.status_code == 500 and (
        '"reason":"Database error"' in answer.text or answer.text == "Internal Server Error"
    )
