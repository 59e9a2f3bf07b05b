"""The resource ``/composite``: several requests in one call, which counts once.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from email.message import Message
from typing import Any
from urllib.parse import unquote

from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, json_answer, unsupported
from airflow_provider_sfjwt.testing.http.routing import Route

#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite_limits.htm
_MOST, _MOST_QUERIES = 25, 5
_URL = re.compile(r"/services/data/v(\d+\.\d)(/[^?]*)(?:\?(.*))?", re.DOTALL)
_QUERY = re.compile(r"/(query|queryAll)\b|/composite/sobjects")

#: Answers a request of the data APIs, by the API version and the path below it.
Dispatch = Callable[[Request, str, str], Answer]


class Composite:
    """The resource ``/composite``, without references between its requests.

    :param dispatch: answers one request.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def routes(self) -> list[Route]:
        """Return the endpoint."""
        return [Route("POST", r"/composite/?", lambda r, v: self.all(r))]

    def all(self, request: Request) -> Answer:
        """Answer every request of the call.

        :raises RefusalError: for a call that is wrong as a whole.
        """
        parts = request.json_object().get("compositeRequest")
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
            raise RefusalError(400, "JSON_PARSER_ERROR", "compositeRequest must be a list of requests")
        queries = sum(_QUERY.search(str(part.get("url"))) is not None for part in parts)
        if len(parts) > _MOST or queries > _MOST_QUERIES:
            message = f"Limit exceeded: {len(parts)} subrequests, {queries} of them queries or collections"
            raise RefusalError(400, "LIMIT_EXCEEDED", message)
        if request.json_object().get("allOrNone") is True or "@{" in json.dumps(parts):
            raise unsupported("allOrNone or references in a composite request")
        return json_answer({"compositeResponse": [self._answered(part) for part in parts]})

    def _answered(self, part: dict[str, Any]) -> dict[str, Any]:
        found = _URL.fullmatch(str(part.get("url")))
        if found is None or not isinstance(part.get("referenceId"), str):
            raise RefusalError(400, "INVALID_INPUT", "Every subrequest needs a url and a referenceId")
        version, path, query = found.groups()
        body = json.dumps(part["body"]).encode() if "body" in part else b""
        inner = Request(str(part.get("method")), path, query or "", Message(), body)
        try:
            answer = self._dispatch(inner, version, unquote(path))
        except RefusalError as refusal:
            answer = refusal.answer()
        whole = answer.whole_body()
        return {
            "body": json.loads(whole) if whole else None,
            "httpHeaders": {},
            "httpStatusCode": answer.status,
            "referenceId": part["referenceId"],
        }
