"""The application that answers requests for the pages, or says why it cannot in an Airflow with other internals."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger(__name__)

_NOT_HERE = (
    "airflow-provider-sfjwt cannot show its pages in this version of Airflow: parts of Airflow that they use are "
    "missing (%s). Tasks are not affected; the reports are in XCom, under the key salesforce_report. Look for a newer "
    "release of airflow-provider-sfjwt."
)


def application() -> Any:
    """An ASGI application."""
    try:
        from airflow_provider_sfjwt.ui.pages import app
    except ImportError as error:
        log.warning(_NOT_HERE, error)
        return _Unavailable(_NOT_HERE % error)
    return app


class _Unavailable:
    """Answers every request with 501.

    :param text: why.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": 501, "headers": headers})
        await send({"type": "http.response.body", "body": self._text.encode()})
