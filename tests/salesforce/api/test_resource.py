from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from airflow_provider_sfjwt.salesforce.api.resource import reported_failures

REFUSED = [{"errorCode": "NOT_FOUND", "message": "gone"}]
RECORD = {"success": False, "errors": [{"statusCode": "INVALID_EMAIL", "message": "no", "fields": ["Email"]}]}


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (None, []),
        ("done", []),
        ([1, "a", None], []),
        ({"id": "001", "success": True, "errors": []}, []),
        ({"success": False, "errors": []}, ["UNKNOWN"]),
        (RECORD, ["INVALID_EMAIL"]),
        ([{"success": True, "errors": []}, RECORD], ["INVALID_EMAIL"]),
        ([{"isSuccess": False, "errors": ["why"]}, {"isSuccess": True, "errors": None}], ["UNKNOWN"]),
        ([{"isSuccess": False, "errors": None}], ["UNKNOWN"]),
        ({"compositeResponse": [{"httpStatusCode": 200, "body": {"id": "1"}, "referenceId": "a"}]}, []),
        (
            {"compositeResponse": [{"httpStatusCode": 404, "body": REFUSED}, {"httpStatusCode": 200, "body": [RECORD]}]},
            ["NOT_FOUND", "INVALID_EMAIL"],
        ),
        ({"hasErrors": True, "results": [{"statusCode": 204, "result": None}, {"statusCode": 404, "result": REFUSED}]},
         ["NOT_FOUND"]),
        ({"hasErrors": True, "results": [{"referenceId": "r1", "errors": RECORD["errors"]}]}, ["INVALID_EMAIL"]),
        ({"graphs": [{"isSuccessful": False, "graphResponse": {"compositeResponse": [
            {"httpStatusCode": 400, "body": REFUSED}]}}, {"isSuccessful": True, "graphResponse": {}}]}, ["NOT_FOUND"]),
        ({"hasErrors": "?", "results": 3}, []),
    ],
)  # fmt: skip
def test_failed_parts_of_an_answer_are_found(answer: Any, codes: list[str]) -> None:
    assert [each.code for each in reported_failures(answer)] == codes


def test_the_words_and_the_fields_are_kept() -> None:
    (failure,) = reported_failures(RECORD)
    assert (failure.message, failure.fields) == ("no", ("Email",))


def test_a_composite_answer_of_a_real_org(recording: Callable[[str], bytes]) -> None:
    cassette = yaml.safe_load(recording("rest/cci_composite_not_found.yaml"))
    answer = json.loads(cassette["interactions"][0]["response"]["body"]["string"])
    assert [each.code for each in reported_failures(answer)] == ["NOT_FOUND"]
