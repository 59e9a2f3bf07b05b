"""A Google Cloud Storage of one process: the calls of its JSON API that google-cloud-storage and gcsfs make.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)$")
_OBJECTS = re.compile(r"/storage/v1/b/([^/]+)/o$")
_UPLOAD = re.compile(r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o$")


class Buckets:
    """Every bucket that a client names is there, and holds what was uploaded."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, tuple[str, str, bytearray]] = {}

    def described(self, bucket: str, name: str) -> dict[str, Any]:
        """The resource of an object."""
        content = self.objects[bucket, name]
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        times = dict.fromkeys(("timeCreated", "updated"), "2026-11-20T00:00:00.000Z")
        resource = {"kind": "storage#object", "id": f"{bucket}/{name}/1", "bucket": bucket, "name": name, **times}
        return {**resource, "generation": "1", "metageneration": "1", "size": str(len(content)), "md5Hash": digest}

    def listed(self, bucket: str, prefix: str, delimiter: str | None) -> dict[str, Any]:
        """The objects whose names begin with a prefix, and the folders below it."""
        names = sorted(name for its, name in self.objects if its == bucket and name.startswith(prefix))
        folders = {
            prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter
            for name in names
            if delimiter and delimiter in name[len(prefix) :]
        }
        items = [self.described(bucket, name) for name in names if not any(name.startswith(each) for each in folders)]
        return {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}


class _Requests(BaseHTTPRequestHandler):
    """The requests of one client."""

    protocol_version = "HTTP/1.1"
    buckets: Buckets

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(address.query).items()}
        if matched := _OBJECTS.match(address.path):
            bucket = unquote(matched[1])
            self._json(self.buckets.listed(bucket, given.get("prefix", ""), given.get("delimiter")))
        elif (matched := _OBJECT.match(address.path)) and (
            unquote(matched[1]),
            unquote(matched[2]),
        ) in self.buckets.objects:
            key = (unquote(matched[1]), unquote(matched[2]))
            if given.get("alt") == "media":
                self._media(self.buckets.objects[key])
            else:
                self._json(self.buckets.described(*key))
        else:
            self._json({"error": {"code": 404, "message": f"{address.path} is not there"}}, 404)

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(address.query).items()}
        body = self._body()
        if address.path.startswith("/batch/"):
            self._batch(body)
        elif "upload_id" in given:
            self._chunk(given["upload_id"], body)
        elif (matched := _UPLOAD.match(address.path)) and given.get("uploadType") == "multipart":
            about, content = _parts(body)
            self._stored(unquote(matched[1]), about["name"], content)
        elif matched:
            bucket, name = unquote(matched[1]), given.get("name") or json.loads(body)["name"]
            upload = str(len(self.buckets.uploads))
            self.buckets.uploads[upload] = bucket, name, bytearray()
            self._answer(200, b"", {"Location": f"http://{self.headers['Host']}{address.path}?upload_id={upload}"})
        else:
            self._json({"error": {"code": 404, "message": address.path}}, 404)

    do_PUT = do_POST  # noqa: N815  # the name that http.server calls

    def do_DELETE(self) -> None:
        self._answer(self._removed(self.path), b"")

    def _stored(self, bucket: str, name: str, content: bytes) -> None:
        self.buckets.objects[bucket, name] = content
        self._json(self.buckets.described(bucket, name))

    def _chunk(self, upload: str, body: bytes) -> None:
        """A piece of a resumable upload; the last one says how many bytes there are."""
        bucket, name, content = self.buckets.uploads[upload]
        content += body
        if self.headers["Content-Range"].endswith("*"):
            self._answer(308, b"", {"Range": f"bytes=0-{len(content) - 1}"})
        else:
            del self.buckets.uploads[upload]
            self._stored(bucket, name, bytes(content))

    def _batch(self, body: bytes) -> None:
        """Several deletions at once: https://cloud.google.com/storage/docs/batch."""
        statuses = [self._removed(path) for path in re.findall(r"DELETE (\S+) HTTP", body.decode())]
        answers = [
            f"--batch\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} .\r\n\r\n" for status in statuses
        ]
        content = ("".join(answers) + "--batch--").encode()
        self._answer(200, content, {"Content-Type": "multipart/mixed; boundary=batch"})

    def _removed(self, path: str) -> int:
        matched = _OBJECT.match(urlsplit(path).path)
        key = (unquote(matched[1]), unquote(matched[2])) if matched else ("", "")
        return 204 if self.buckets.objects.pop(key, None) is not None else 404

    def _media(self, content: bytes) -> None:
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            self._answer(206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}"})
        else:
            self._answer(200, content)

    def _json(self, answer: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # gcsfs asks several questions at once, and leaves with the first answer
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: Any) -> None:
        pass


def _parts(body: bytes) -> tuple[dict[str, Any], bytes]:
    """What a multipart upload says of its object, and the object."""
    boundary = body.partition(b"\n")[0].strip()
    _, *parts, _ = re.split(rb"\r?\n?" + re.escape(boundary), body)
    about, content = (re.split(rb"\r?\n\r?\n", part, maxsplit=1)[1] for part in parts)
    return json.loads(about), content


@contextmanager
def object_storage() -> Iterator[tuple[str, Buckets]]:
    """A storage on this machine.

    :return: its address, and what is in it.
    """
    buckets = Buckets()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"buckets": buckets}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", buckets
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
