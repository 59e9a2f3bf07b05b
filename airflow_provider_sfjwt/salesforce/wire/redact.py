"""How requests are shown to people: the only formatter of requests, since a request may carry a secret."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from airflow_provider_sfjwt.salesforce.wire.flow import Request

#: Query parameters that say what was asked and hold no secret. All others are shown as "…".
_PLAIN_PARAMETERS = frozenset({"q", "locator", "maxRecords", "explain", "columns", "sObjects", "jobType"})
_LONGEST_VALUE = 200


def describe_request(request: Request) -> str:
    """Say what a request is, for a log or an error.

    :param request: the request; its headers and body are never shown.
    :return: method, host, path and the harmless part of the query string, e.g. ``GET acme.my.salesforce.com/…``.
    """
    parts = urlsplit(request.url)
    shown = [(name, shortened(value) if name in _PLAIN_PARAMETERS else "…") for name, value in parse_qsl(parts.query)]
    query = "?" + "&".join(f"{name}={value}" for name, value in shown) if shown else ""
    return f"{request.method} {host_of(request.url)}{parts.path}{query}"


def host_of(url: str) -> str:
    """The host and port of a URL, without user and password.

    :param url: an absolute URL.
    :return: e.g. ``acme.my.salesforce.com`` or ``127.0.0.1:8765``.
    """
    return urlsplit(url).netloc.rpartition("@")[2]


def bounded(text: str, most: int = 4_000) -> str:
    """A text of bounded length: its beginning and its end, since Salesforce puts a reason after what it is about.

    :param text: what a server said.
    :param most: of its characters that are shown.
    """
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … ({len(text):,} characters) … {text[-(most // 2) :]}"


def shortened(value: str) -> str:
    """A value in one line of at most 200 characters.

    :param value: any text.
    """
    value = " ".join(value.split())
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
