"""The parts of a ``multipart/form-data`` request."""

from __future__ import annotations

import re
from email.message import Message

from airflow_provider_sfjwt.testing.http.messages import RefusalError

_NAME = re.compile(rb'content-disposition:[^\r\n]*\bname="([^"]*)"', re.IGNORECASE)
_BREAK = re.compile(rb"\r?\n\r?\n")


def parts_of(headers: Message, body: bytes) -> dict[str, bytes]:
    """Return the bodies of the parts by name.

    :raises RefusalError: for a request without a boundary, or a part without a name or body.
    """
    boundary = headers.get_boundary()
    if not boundary:
        raise RefusalError(400, "CLIENTINPUTERROR", "multipart request without a boundary")
    found: dict[str, bytes] = {}
    for piece in body.split(b"--" + boundary.encode())[1:]:
        if piece.startswith(b"--"):
            break
        head, *rest = _BREAK.split(piece, maxsplit=1)
        name = _NAME.search(head)
        if name is None or not rest:
            raise RefusalError(400, "CLIENTINPUTERROR", "a part of the multipart request has no name or no body")
        # The line break before a boundary belongs to the boundary.
        found[name[1].decode()] = re.sub(rb"\r?\n\Z", b"", rest[0])
    return found
