"""Where the event bus of an org is reached.

https://developer.salesforce.com/docs/platform/pub-sub-api/guide/pub-sub-endpoints.html
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ENDPOINTS = {"global": "api.pubsub.salesforce.com:7443", "deu": "api.deu.pubsub.salesforce.com:7443"}
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost):\d{1,5}", re.ASCII)
_GOVERNMENT = (".mil", ".gov")


def read_endpoint(text: str | None) -> str:
    """Read the field of the connection.

    :param text: ``global``, ``deu``, or host and port of a simulated org on this machine; None for ``global``.
    :return: host and port.
    :raises ValueError: for anything else, with a sentence that says so.
    """
    if text is None or text.lower() in _ENDPOINTS:
        return _ENDPOINTS[(text or "global").lower()]
    if _LOOPBACK.fullmatch(text):
        return text
    raise ValueError("is not an endpoint of the event bus; enter global or deu, or leave it empty")


def is_on_this_machine(endpoint: str) -> bool:
    """Whether an endpoint is that of a simulated org.

    :param endpoint: host and port.
    """
    return _LOOPBACK.fullmatch(endpoint) is not None


def is_government(login_url: str) -> bool:
    """Whether an org is in Salesforce's Government Cloud, which has no event bus of this kind.

    :param login_url: of the connection.
    """
    return (urlsplit(login_url).hostname or "").endswith(_GOVERNMENT)
