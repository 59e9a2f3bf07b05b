"""A way to the org's token endpoint that writes down the secrets which pass."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

import requests


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Content-Type": self.headers["Content-Type"]}
            answer = session.post(self.server.org_url + self.path, data=body, headers=headers, timeout=60)
        self.server.assertions += parse_qs(body.decode()).get("assertion", [])
        if answer.ok:
            self.server.tokens.append(answer.json()["access_token"])
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parameter's name in http.server
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, org_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.org_url = org_url
        self.assertions: list[str] = []
        self.tokens: list[str] = []


class LoginGateway:
    """Passes token exchanges on to an org, for as long as the ``with`` block lasts.

    :param org_url: where to.
    """

    def __init__(self, org_url: str) -> None:
        self._server = _Server(org_url)

    def __enter__(self) -> LoginGateway:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="gateway", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The login URL to use."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def assertions(self) -> list[str]:
        """Every assertion that passed."""
        return list(self._server.assertions)

    @property
    def tokens(self) -> list[str]:
        """Every access token that passed."""
        return list(self._server.tokens)
