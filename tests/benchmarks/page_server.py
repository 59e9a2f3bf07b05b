"""A server that sends prepared pages as fast as the kernel can, or as slowly as it is told: a process of its own.

``python -m tests.benchmarks.page_server FOLDER`` prints its ports as JSON. Plain HTTP and TLS answer alike. It reads just
enough of HTTP for the clients that are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_sfjwt.testing.oauth.certificates import write_tls_files
from tests.benchmarks.page_routes import Answer, Routes

#: Bytes that are sent at once, and at once between two looks at the clock where there is a rate to keep.
_CHUNK, _PACED_CHUNK = 4 * 2**20, 256 * 1024
#: Seconds of its rate that a connection which was slow to read may catch up.
_BURST = 0.02


class Connection:
    """One client's connection.

    :param link: connected, over TLS or not.
    :param scheme: ``http`` or ``https``.
    :param routes: what to answer.
    """

    def __init__(self, link: socket.socket, scheme: str, routes: Routes) -> None:
        self._socket = link
        self._scheme = scheme
        self._routes = routes
        self._due = 0.0

    def serve(self) -> None:
        """Answer requests until the client goes."""
        with self._socket, self._socket.makefile("rb") as reader:
            while self._serve_one(reader):
                pass

    def _serve_one(self, reader: BinaryIO) -> bool:
        line = reader.readline()
        if not line.strip():
            return False
        method, target, _ = line.decode("ascii").split(" ", 2)
        headers = {}
        while (header := reader.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        pieces = _request_body(reader, headers)
        if self._routes.ingest.takes(method, target):
            self._routes.ingest.swallow(target, pieces)
        body = b"".join(pieces)
        answer = self._routes.answer(method, target, headers.get("host", ""), self._scheme, body)
        if self._routes.settings.latency and not target.startswith("/_"):
            time.sleep(self._routes.settings.latency)
        self._send(answer)
        return headers.get("connection", "").lower() != "close"

    def _send(self, answer: Answer) -> None:
        head = {
            "Date": formatdate(usegmt=True),
            "Content-Type": answer.content_type,
            "Content-Length": str(answer.length),
            "Sforce-Limit-Info": "api-usage=1/1000000",
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + answer.body)
        if answer.file is not None:
            with answer.file.open("rb") as file:
                self._send_file(file, answer.offset, answer.file.stat().st_size)
        if answer.end:
            self._socket.sendall(answer.end)

    def _send_file(self, file: BinaryIO, sent: int, size: int) -> None:
        rate = self._routes.settings.bytes_per_second
        file.seek(sent)
        while sent < size:
            count = min(_PACED_CHUNK if rate else _CHUNK, size - sent)
            if self._scheme == "http":
                count = os.sendfile(self._socket.fileno(), file.fileno(), sent, count)
            else:
                self._socket.sendall(file.read(count))
            sent += count
            if rate:
                self._due = max(self._due, time.monotonic() - _BURST) + count / rate
                time.sleep(max(0.0, self._due - time.monotonic()))


def _request_body(reader: BinaryIO, headers: dict[str, str]) -> Iterator[bytes]:
    """Read the body, a piece at a time."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        yield from _exactly(reader, int(headers.get("content-length", 0)))
        return
    while size := int(reader.readline(), 16):
        yield from _exactly(reader, size)
        reader.readline()
    reader.readline()


def _exactly(reader: BinaryIO, count: int) -> Iterator[bytes]:
    while count:
        piece = reader.read(min(count, _CHUNK))
        if not piece:
            raise ConnectionError("the request broke off")
        count -= len(piece)
        yield piece


def _serve(listener: socket.socket, tls: ssl.SSLContext | None, routes: Routes) -> None:
    def handle(link: socket.socket) -> None:
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = tls.wrap_socket(link, server_side=True) if tls else link
            Connection(secured, "https" if tls else "http", routes).serve()
        except (OSError, ValueError) as error:
            if not isinstance(error, (ConnectionError, ssl.SSLError)):
                print(f"page server: {error!r}", file=sys.stderr, flush=True)
            link.close()

    while True:
        link, _ = listener.accept()
        threading.Thread(target=handle, args=(link,), daemon=True).start()


def _listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


def main() -> None:
    """Serve until the standard input ends, which it does with the process that started this one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="of the prepared pages")
    parser.add_argument("--tls-folder", type=Path, required=True, help="where the certificates are written")
    arguments = parser.parse_args()
    routes = Routes(arguments.folder, arguments.tls_folder)
    authority, certificate = write_tls_files(arguments.tls_folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    ports: dict[str, Any] = {"authority": str(authority)}
    for scheme, tls in (("http", None), ("https", context)):
        listener = _listen()
        ports[scheme] = f"{scheme}://localhost:{listener.getsockname()[1]}"
        threading.Thread(target=_serve, args=(listener, tls, routes), daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
