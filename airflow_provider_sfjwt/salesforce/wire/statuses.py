"""What an answer's status says about trying again, and what a web page says of itself.

One definition for signing in, for retries and for errors, so that they agree on what passes by itself.
"""

from __future__ import annotations

from airflow_provider_sfjwt.salesforce.wire.flow import Response

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: "Not now", without having done anything: 420 and 429 come from Salesforce's edge, 503 is SERVER_UNAVAILABLE.
_NOT_PROCESSED = frozenset({420, 429, 503})
_TIMED_OUT, _EDGE_FAULT = 408, 406
#: The server cannot do what it was asked for, now or later.
_UNSUPPORTED = frozenset({501, 505})
#: Bytes of a page in which its title is looked for, and characters of it that are shown.
_HEAD_OF_PAGE, _LONGEST_TITLE = 2**16, 100


def was_not_processed(response: Response) -> bool:
    """Whether Salesforce turned a request away without processing it.

    :param response: any answer.
    """
    return response.status in _NOT_PROCESSED


def is_transient(response: Response) -> bool:
    """Whether the same request may get another answer later, without anybody changing a setting.

    :param response: any answer.
    """
    if response.status == _EDGE_FAULT:
        return not response.body  # a passing error of Salesforce's edge; a real 406 has a body
    may_pass = response.status >= 500 and response.status not in _UNSUPPORTED
    return may_pass or was_not_processed(response) or response.status == _TIMED_OUT


def may_hide_a_success(status: int) -> bool:
    """Whether a request that was refused with a status may have been processed all the same.

    :param status: the HTTP status of an error.
    """
    return status >= 500 or status in (_EDGE_FAULT, _TIMED_OUT)


def page_title(response: Response) -> str | None:
    """The title of a web page that came instead of data, or None where the answer has none.

    :param response: any answer.
    """
    head = response.body[:_HEAD_OF_PAGE]
    names = head.lower()
    opened = names.find(b">", names.find(b"<title") + 1)
    closed = names.find(b"</title", opened)
    if b"<title" not in names or opened < 0 or closed < 0:
        return None
    title = " ".join(head[opened + 1 : closed].decode("utf-8", "replace").split())
    return title[:_LONGEST_TITLE] or None
