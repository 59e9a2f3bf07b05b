"""Several GETs in one call, which counts once against the org's allocation.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import answers
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Response

#: Queries of one call.
#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite_limits.htm
MOST_QUERIES = 5


def query_several(session: Session, queries: Sequence[tuple[str, bool]]) -> Flow[list[Any]]:
    """Run some queries in one call.

    :param session: the conversation.
    :param queries: 1 to 5, each its SOQL and whether deleted rows are returned too.
    :return: for each the decoded answer, or the ``ApiError`` by which Salesforce refused it.
    :raises ApiError: when Salesforce refuses the call as a whole.
    """
    root = yield from session.path("")
    parts = [
        {
            "method": "GET",
            "url": f"{root}{'queryAll' if deleted else 'query'}?{urlencode({'q': soql})}",
            "referenceId": f"q{place}",
        }
        for place, (soql, deleted) in enumerate(queries)
    ]
    body = {"allOrNone": False, "compositeRequest": parts}
    answer = yield from session.json("POST", "composite", json_body=body, repeatable=True)
    listed = answer.get("compositeResponse") if isinstance(answer, dict) else None
    if not isinstance(listed, list) or len(listed) != len(parts):
        raise ProtocolError(f"POST composite did not answer with one result for each of {len(parts)} queries")
    return [_result(entry, part["url"]) for entry, part in zip(listed, parts, strict=True)]


def _result(entry: Any, url: str) -> Any:
    status = entry.get("httpStatusCode") if isinstance(entry, dict) else None
    if not isinstance(status, int):
        raise ProtocolError("a result of POST composite has no httpStatusCode")
    response = Response(status, {}, json.dumps(entry.get("body")).encode())
    path = url.partition("?")[0]
    try:
        answers.check(response, method="GET", path=path)
    except ApiError as refusal:
        return refusal
    return entry["body"]
