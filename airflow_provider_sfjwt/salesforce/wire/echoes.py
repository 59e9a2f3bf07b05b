"""Strikes the secrets that a request sent out of the answer: servers and proxies repeat requests in their errors."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response

_MARK = b"***"
#: A shorter text would be struck out of words that are no secret.
_SHORTEST = 5
#: What is looked for are pieces of this length, so that an echo that was cut short is found too.
_PIECE = 24
#: A larger answer with a good status is data: only the secret as it was sent is looked for.
_LARGEST_TEXT = 64 * 2**10


def without_echoes(request: Request, response: Response) -> Response:
    """The answer without the request's secrets, in whatever encoding they came back.

    :param request: what was sent.
    :param response: what was answered. A body that went to a sink is not in it.
    """
    if not request.secrets:
        return response
    is_text = not response.ok or len(response.body) <= _LARGEST_TEXT
    pieces = _pieces(request.secrets) if is_text else frozenset(each.encode().lower() for each in request.secrets)
    body = _struck(response.body, pieces)
    headers = _struck_headers(response.headers, pieces)
    if body is response.body and headers is response.headers:
        return response
    return replace(response, headers=headers, body=body)


def struck(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets.

    :param text: any text.
    :param secrets: as they were sent.
    """
    content = text.encode("utf-8", "surrogatepass")
    return _struck(content, _pieces(tuple(secrets))).decode("utf-8", "surrogatepass")


def _struck_headers(headers: Mapping[str, str], pieces: frozenset[bytes]) -> Mapping[str, str]:
    together = "\n".join(headers.values()).encode("utf-8", "replace").lower()
    if not any(piece in together for piece in pieces):
        return headers
    return {name: _struck(value.encode("utf-8", "replace"), pieces).decode() for name, value in headers.items()}


def _struck(content: bytes, pieces: frozenset[bytes]) -> bytes:
    lower = content.lower()  # as long as the content
    spots = sorted(spot for piece in pieces for spot in _spots(lower, piece))
    if not spots:
        return content
    kept, end = bytearray(), 0
    for start, stop in spots:
        if start > end or end == 0:
            kept += content[end:start] + _MARK
        end = max(end, stop)
    return bytes(kept + content[end:])


def _spots(lower: bytes, piece: bytes) -> Iterator[tuple[int, int]]:
    start = lower.find(piece)
    while start >= 0:
        yield start, start + len(piece)
        start = lower.find(piece, start + 1)


@lru_cache(maxsize=8)  # a token is looked for in the answer to each request
def _pieces(secrets: tuple[str, ...]) -> frozenset[bytes]:
    """What to look for, in small letters: pieces of each secret in each encoding."""
    found: set[bytes] = set()
    for secret in secrets:
        for form in _forms(secret):
            known = form.lower()
            if len(known) < _SHORTEST:
                continue
            found |= {known[start : start + _PIECE] for start in range(0, max(1, len(known) - _PIECE + 1), _PIECE)}
            found.add(known[-_PIECE:])
    return frozenset(found)


def _forms(secret: str) -> Iterator[bytes]:
    """A secret as an answer may write it."""
    plain = secret.encode("utf-8", "surrogatepass")
    escaped = quote(plain, safe="")
    for text in (escaped, quote(escaped, safe=""), json.dumps(secret)[1:-1], html.escape(secret)):
        yield text.encode("ascii", "backslashreplace")
    yield plain
    yield plain.hex().encode("ascii")
    # Its letters in base64 depend on what stands before it. What it shares with its neighbours is left out.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - (4 if (shift + len(plain)) % 3 else 0)]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))
