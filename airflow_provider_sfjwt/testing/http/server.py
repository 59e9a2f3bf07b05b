"""How requests and answers are carried: HTTP/1.1 on this machine, with the faults that a network has."""

from __future__ import annotations

import email.utils
import gzip
import socket
import ssl
import struct
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_sfjwt.testing.http.faults import Fault
from airflow_provider_sfjwt.testing.http.gateway import Gateway
from airflow_provider_sfjwt.testing.http.messages import Answer, Request

_RESET = struct.pack("ii", 1, 0)
_GZIP_FROM = 256
_BODILESS = (204, 304)


class Server(ThreadingHTTPServer):
    """Accepts connections on 127.0.0.1, a daemon thread for each.

    :param port: 0: any free one.
    :param gateway: answers the requests.
    :param tls: context for https; None: http.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, gateway: Gateway, tls: ssl.SSLContext | None = None) -> None:
        self.gateway = gateway
        self.stopping = threading.Event()
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """Bind, without the reverse look-up of the host name that takes seconds on some machines."""
        # As allow_reuse_address says: without it, a port is taken for a minute after a server that was killed.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the TLS handshake is left to the connection's own thread."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection: with a reset where one was asked for, else politely."""
        with self._open_lock:
            self._open.discard(request)
        try:
            linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET))
        except OSError:
            return
        if linger == _RESET:
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that clients drop, which is their right."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop accepting and drop the connections that are open."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                try:
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                except OSError:
                    continue


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "sfdcedge"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: the org keeps its own log."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header by the org's clock."""
        at = self.server.gateway.now().timestamp() if timestamp is None else timestamp
        return email.utils.formatdate(at, usegmt=True)

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, self.headers, self._body())
        gateway = self.server.gateway
        at, due = gateway.now(), gateway.due(request)
        delay = max((fault.delay for fault in due), default=0.0)
        if delay:
            self.server.stopping.wait(delay)
        if any(fault.reset for fault in due):
            gateway.record(request, 0, at)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
            return
        answer = gateway.answer(request, due)
        gateway.record(request, answer.status, at)
        if any(fault.lose_answer for fault in due):
            self.close_connection = True
            return
        self._send(answer, next((fault for fault in due if fault.cuts), None))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return b"".join(pieces)

    def _send(self, answer: Answer, cut: Fault | None) -> None:
        body, headers = self._encoded(answer)
        chunked = not isinstance(body, bytes)
        if cut is not None:
            # To cut at a fraction one must know the whole.
            body = b"".join(body) if not isinstance(body, bytes) else body
        self.send_response_only(answer.status)
        self.send_header("Server", self.version_string())
        if date := headers.pop("Date", self.date_time_string()):
            self.send_header("Date", date)
        for name, value in headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status not in _BODILESS and isinstance(body, bytes):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or answer.status in _BODILESS:
            return
        if cut is not None and isinstance(body, bytes):
            self._send_part(body[: cut.bytes_before_cut(len(body))], chunked)
        elif isinstance(body, bytes):
            self.wfile.write(body)
        else:
            self._send_chunks(body)

    def _encoded(self, answer: Answer) -> tuple[bytes | Iterable[bytes], dict[str, str]]:
        """Return body and headers, compressed where the client and the org want it."""
        body, headers = answer.body, dict(answer.headers)
        small = isinstance(body, bytes) and len(body) < _GZIP_FROM
        if small or not self.server.gateway.compresses or "gzip" not in self.headers.get("Accept-Encoding", ""):
            return body, headers
        headers["Content-Encoding"] = "gzip"
        return (gzip.compress(body, 1) if isinstance(body, bytes) else _compressed(body)), headers

    def _send_chunks(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _send_part(self, part: bytes, chunked: bool) -> None:
        """Send part of a body and close the connection without the rest."""
        if part:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        self.close_connection = True


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        yield squeeze.compress(piece)
    yield squeeze.flush()
