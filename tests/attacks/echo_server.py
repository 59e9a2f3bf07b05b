"""A server that repeats what it was sent in its answers, as debugging proxies and error pages do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

ACCESS_TOKEN = "00D5e000000abcdEAA!AQ4AQFmxpV3tG8wqk2Jd9sLz7RrYc1uHn5oEb0iXyW6vTQ"


class EchoServer(ThreadingHTTPServer):
    """Signs in whom it is asked to, and repeats every other request.

    :param encode: how it writes what it repeats.
    :param signs_in: whether it gives tokens; else it repeats the assertion, too.
    """

    def __init__(self, encode: Callable[[str], str], *, signs_in: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.encode = encode
        self.signs_in = signs_in
        #: The secrets that arrived: assertions, tokens and secrets of apps.
        self.secrets: set[str] = set()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: EchoServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Repeat."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Sign in, or repeat."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        secrets = [form[name] for name in ("assertion", "token", "client_secret") if name in form]
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        secrets += [bearer] if bearer else []
        self.server.secrets.update(secrets)
        echo = " ".join(map(self.server.encode, [*secrets, *(f"Authorization: Bearer {each}" for each in secrets)]))
        if self.server.signs_in and self.path.endswith("/token"):
            token = self.server.encode(ACCESS_TOKEN)
            names = {"scope": f"api {echo} {token}", "id": f"{self.server.url}/id/{echo}/{token}"}
            self._json(200, {"access_token": ACCESS_TOKEN, "instance_url": self.server.url} | names)
        elif self.path.endswith("/userinfo"):
            self._json(200, {"preferred_username": echo, "organization_id": echo, "user_id": echo})
        elif self.path.rstrip("/").endswith("/services/data") and bearer:
            self._json(200, [{"version": "67.0", "label": echo}])
        elif self.path.endswith("/token"):
            self._json(400, {"error": f"invalid_grant {echo}", "error_description": f"{echo} {'x' * 40_000}"})
        else:
            self._json(400, [{"errorCode": f"ODD {echo}", "message": f"{echo} {'x' * 40_000}", "fields": [echo]}])

    def _json(self, status: int, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running_echo_server(encode: Callable[[str], str], *, signs_in: bool) -> Iterator[EchoServer]:
    """Run one.

    :param encode: and ``signs_in``: as the server has them.
    """
    with EchoServer(encode, signs_in=signs_in) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
