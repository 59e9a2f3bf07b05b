"""A host that is not Salesforce's, and keeps what is sent to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Thief(ThreadingHTTPServer):
    """Answers everything with an empty object."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        #: Of each request: the first line, the headers and the body, as one text.
        self.taken: list[str] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Thief

    def handle_one_request(self) -> None:
        """Take a request of any method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.taken.append(f"{self.requestline}\n{self.headers}{body.decode('latin-1')}")
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


@contextmanager
def running_thief() -> Iterator[Thief]:
    """Run one."""
    with Thief() as thief:
        thread = threading.Thread(target=thief.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield thief
        thief.shutdown()
        thread.join()
