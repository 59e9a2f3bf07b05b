"""What a request is to the simulator, and what it may answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs

JSON_TYPE = "application/json;charset=UTF-8"
CSV_TYPE = "text/csv; charset=UTF-8"


@dataclass(frozen=True)
class Request:
    """One HTTP request as the endpoints see it.

    :param method: upper case.
    :param path: without the query string, still percent-encoded.
    :param query_string: without the question mark; may be empty.
    :param headers: case-insensitive mapping.
    :param body: the whole body, decoded from chunked transfer.
    """

    method: str
    path: str
    query_string: str
    headers: Message
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query string as sent."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query-string parameter, or None where it is absent."""
        values = parse_qs(self.query_string, keep_blank_values=True).get(name)
        return values[0] if values else None

    def json_value(self) -> Any:
        """Return the body as a JSON value.

        :raises RefusalError: 400 JSON_PARSER_ERROR where it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise RefusalError(400, "JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON") from None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        :raises RefusalError: 400 JSON_PARSER_ERROR where it is anything else.
        """
        parsed = self.json_value()
        if not isinstance(parsed, dict):
            raise RefusalError(400, "JSON_PARSER_ERROR", "The HTTP entity body must be a JSON object")
        return parsed


@dataclass
class Answer:
    """One HTTP answer.

    :param status: HTTP status.
    :param body: bytes (sent with Content-Length) or an iterable of bytes (sent chunked, made while it is sent).
    :param headers: beyond those that every answer carries.
    """

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)

    def whole_body(self) -> bytes:
        """Return the body as bytes, making all of it where it is made lazily."""
        if not isinstance(self.body, bytes):
            self.body = b"".join(self.body)
        return self.body


def json_answer(content: object, status: int = 200) -> Answer:
    """Answer with a value as JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return json_text_answer(text, status)


def json_text_answer(text: str, status: int = 200) -> Answer:
    """Answer with ready JSON text, which keeps decimals that a float would round."""
    return Answer(status, text.encode("utf-8", "replace"), {"Content-Type": JSON_TYPE})


class RefusalError(Exception):
    """A request that Salesforce's data APIs refuse: a JSON array of one error.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm

    :param status: HTTP status.
    :param code: Salesforce's ``errorCode``.
    :param message: Salesforce's ``message``.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Answer:
        """Return the HTTP answer that says so."""
        return json_answer([{"message": self.message, "errorCode": self.code}], self.status)


def not_found() -> RefusalError:
    """Return Salesforce's answer to a resource that is not there (any more)."""
    return RefusalError(404, "NOT_FOUND", "The requested resource does not exist")


def unsupported(what: str) -> RefusalError:
    """Return the refusal of something that Salesforce honours and this simulator does not."""
    return RefusalError(400, "NOT_IN_SIMULATOR", f"the simulator does not honour {what}")
