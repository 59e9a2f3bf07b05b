"""Apex REST: methods of ``@RestResource`` classes, which a test writes in Python.

https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_rest_methods.htm
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, json_answer

ROOT = "/services/apexrest/"


@dataclass(frozen=True)
class ApexRequest:
    """What an Apex REST method is called with, as ``RestContext.request`` has it.

    :param method: the HTTP method.
    :param path: what follows ``/services/apexrest``, with a leading slash and percent-encoding undone.
    :param query: the first value of each parameter of the query string.
    :param headers: by their names in lower case; without the access token.
    :param body: the decoded JSON, or None for an empty body.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class ApexError(Exception):
    """An exception that an Apex method does not catch; raise it in a scripted method.

    :param message: with the type in front, as in ``System.DmlException: Insert failed``.
    """


#: The answer as a JSON value, or a function of the request that returns it.
ApexMethod = Callable[[ApexRequest], Any]


class ApexRest:
    """The Apex REST methods of an org."""

    def __init__(self) -> None:
        self._methods: dict[tuple[str, str], tuple[Any, int]] = {}

    def add(self, method: str, path: str, answer: Any, status: int) -> None:
        """Add a method, in place of one for the same address.

        :param path: shell pattern of what follows ``/services/apexrest``.
        """
        self._methods[method.upper(), "/" + path.strip("/")] = (answer, status)

    def respond(self, request: Request) -> Answer:
        """Answer one request.

        :raises RefusalError: for an address that no method has, and for what a method does not catch.
        """
        path = "/" + unquote(request.path).removeprefix(ROOT).strip("/")
        for (method, pattern), (answer, status) in reversed(self._methods.items()):
            if method == request.method and fnmatch.fnmatchcase(path, pattern):
                return _shown(_result(answer, request, path), status)
        raise RefusalError(404, "NOT_FOUND", "Could not find a match for URL")


def _result(answer: Any, request: Request, path: str) -> Any:
    if not callable(answer):
        return answer
    body = request.json_value() if request.body else None
    query = {name: values[0] for name, values in parse_qs(request.query_string, keep_blank_values=True).items()}
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() != "authorization"}
    try:
        return answer(ApexRequest(request.method, path, query, headers, body))
    except ApexError as error:
        raise RefusalError(500, "APEX_ERROR", str(error)) from None


def _shown(result: Any, status: int) -> Answer:
    """A method without a result answers with an empty body."""
    return Answer(status) if result is None else json_answer(result, status)
