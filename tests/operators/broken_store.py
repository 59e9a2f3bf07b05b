"""An object store of its own, which can be told to refuse some names: moto's S3, behind a proxy that says no."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "lake"
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
_KEYS = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret", "region_name": "us-east-1"}


class BrokenStore:
    """A bucket.

    :param moto: where the objects are.
    :param proxy: the address that clients get.
    """

    def __init__(self, moto: str, proxy: str) -> None:
        self.refuses = ""
        self.client: Any = boto3.client("s3", endpoint_url=moto, **_KEYS)
        self.client.create_bucket(Bucket=BUCKET)
        extra = {"endpoint_url": proxy, "region_name": "us-east-1"}
        self.connection = json.dumps(
            {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
        )

    def names(self) -> list[str]:
        """The keys of all objects."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def uploads(self) -> list[Any]:
        """Multipart uploads that have neither been completed nor aborted."""
        found: list[Any] = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return found

    def download(self, prefix: str, folder: Path) -> None:
        """Copy the objects below a prefix into a folder."""
        for name in self.names():
            if name.startswith(f"{prefix}/"):
                self.client.download_file(BUCKET, name, str(folder / name.removeprefix(f"{prefix}/")))


@contextmanager
def broken_store() -> Iterator[BrokenStore]:
    """A store for as long as the block lasts. ``refuses`` is part of the names that cannot be written."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if store.refuses and store.refuses in self.path and self.command in ("PUT", "POST"):
                self._answer(403, [("Content-Type", "application/xml")], _DENIED)
                return
            onward = http.client.HTTPConnection(host, port, timeout=30)
            onward.request(
                self.command, self.path, body, {n: v for n, v in self.headers.items() if n.lower() != "expect"}
            )
            answer = onward.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
            onward.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            length = str(len(body))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value if self.command == "HEAD" else length
                elif name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=proxy.serve_forever, daemon=True).start()
    store = BrokenStore(f"http://{host}:{port}", f"http://127.0.0.1:{proxy.server_port}")
    try:
        yield store
    finally:
        proxy.shutdown()
        proxy.server_close()
        moto.stop()
