"""A small HTTP server of the tests: it answers by path, breaks by path, and can stand in for a proxy."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

RESET = struct.pack("ii", 1, 0)


class Seen(NamedTuple):
    """A request as it arrived: ``target`` is a path, or what a proxy is asked for."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """One connection; each path below ``/`` does what the method of its name does."""

    protocol_version = "HTTP/1.1"
    server: LocalServer

    def log_message(self, *args: Any) -> None:
        """Write nothing."""

    def finish(self) -> None:
        super().finish()
        self.server.left.set()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, body))
        self.server.arrived.set()
        if self.path.startswith("http://") or self.command == "CONNECT":
            return self._as_proxy()
        name, *rest = self.path.partition("?")[0].strip("/").split("/")
        return getattr(self, f"_{name}")(*rest)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_CONNECT = _answer  # noqa: N815

    def _as_proxy(self) -> None:
        if self.command == "CONNECT":
            self._send(407, b"", {"Proxy-Authenticate": "Basic"})
        else:
            self._send(200, b"from the proxy")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _echo(self) -> None:
        seen = self.server.seen[-1]
        self._send(200, json.dumps([seen.method, seen.headers, seen.body.decode()]).encode())

    def _status(self, status: str) -> None:
        self._send(int(status), b"" if status == "204" else f"status {status}".encode(), {"X-Odd-CASE": "Kept"})

    def _bytes(self) -> None:
        self._send(200, bytes(range(256)) * 3, {"Content-Type": "text/plain; charset=UTF-16"})

    def _gzip(self) -> None:
        self._send_gzip(gzip.compress(b"squeezed " * 1000))

    def _nozip(self) -> None:
        self._send_gzip(b"this is no gzip")

    def _send_gzip(self, body: bytes) -> None:
        self._send(200, body, {"Content-Encoding": "gzip", "Content-Length": str(len(body))})

    def _redirect(self) -> None:
        self._send(302, b"moved", {"Location": "/echo"})

    def _nowhere(self) -> None:
        self._send(302, b"moved", {"Location": "http://[no-address:99999999/"})

    def _cookie(self) -> None:
        self._send(200, b"", {"Set-Cookie": "BrowserId=abc; Path=/"})

    def _cut(self) -> None:
        self._send(200, b"only this", {"Content-Length": "100"})
        self.close_connection = True

    def _chunkcut(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"64\r\nonly this")
        self.close_connection = True

    def _cutonce(self) -> None:
        if sum(seen.target == self.path for seen in self.server.seen) == 1:
            self._cut()
        else:
            self._send(200, b"whole")

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.close()
        self.close_connection = True

    def _garble(self) -> None:
        """Break TLS itself, after the request was taken."""
        socket.socket.sendall(self.connection, b"\x17\x03\x03\x00\x20" + bytes(32))
        self.close_connection = True

    def _hang(self) -> None:
        self.server.stopping.wait()
        self.close_connection = True

    def _drip(self) -> None:
        """Send a byte now and then, and never end."""
        self.send_response(200)
        self.send_header("Content-Length", str(2**31))
        self.end_headers()
        self._byte_by_byte()

    def _dripheader(self) -> None:
        """The same before the headers have ended."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._byte_by_byte()

    def _byte_by_byte(self) -> None:
        self.close_connection = True
        while not self.server.stopping.wait(0.01):
            self.wfile.write(b"x")

    def _bomb(self, megabytes: str, status: str = "200") -> None:
        """Zeros, packed to a thousandth: members of 8 MB, which are one body."""
        packed = gzip.compress(bytes(8 * 2**20)) * (int(megabytes) // 8)
        self._send(int(status), packed, {"Content-Encoding": "gzip", "Content-Length": str(len(packed))})

    def _plain(self, megabytes: str, status: str = "200") -> None:
        self._send(int(status), bytes(2**20 * int(megabytes)))

    def _members(self, after: str = "") -> None:
        """Two gzip members, and what follows them."""
        body = gzip.compress(b"one, ") + gzip.compress(b"two") + bytes.fromhex(after)
        self._send(200, body, {"Content-Encoding": "gzip", "Content-Length": str(len(body))})

    def _packed(self, encoding: str) -> None:
        self._send(200, b"anything", {"Content-Encoding": encoding})

    def _halfzip(self) -> None:
        body = gzip.compress(bytes(range(256)) * 100)
        half = body[: len(body) // 2]
        self._send(200, half, {"Content-Encoding": "gzip", "Content-Length": str(len(half))})

    def _stall(self) -> None:
        self._send(200, b"only this", {"Content-Length": "100"})
        self._hang()


class LocalServer(ThreadingHTTPServer):
    """Serves on 127.0.0.1 while it is entered.

    :param certificate: PEM file of the server's certificate and key, for https.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.arrived, self.left, self.stopping = threading.Event(), threading.Event(), threading.Event()
        self.connections = 0
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may drop a connection, and refuse a certificate."""

    def __enter__(self) -> LocalServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
