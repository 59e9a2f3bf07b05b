"""The walk finds a secret that stands bare, wherever it hides, so that its silence means something."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
import requests

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key
from tests.canaries.walk import Walk

TOKEN = "00D5e000000abcdEAA!AQ4AQFmxpV3tG8wqk2Jd9sLz7Rr"
# Compiled with the name of a file of the package, whose frames are walked.
_FRAME = compile(
    "def fail(local, error):\n    try:\n        raise KeyError(1)\n    except KeyError:\n        raise error\n",
    str(__import__("airflow_provider_sfjwt").__file__),
    "exec",
)
_names: dict[str, Any] = {}
exec(_FRAME, _names)
fail: Callable[[Any, BaseException], None] = _names["fail"]


def walked(local: Any, error: BaseException | None = None, **canaries: str) -> Walk:
    walk = Walk(canaries)
    try:
        fail(local, error or ConfigurationError({"x": "y"}))
    except Exception as caught:  # noqa: BLE001  # not by pytest.raises, which would walk it for real
        walk.error(caught)
    return walk


def prepared() -> requests.PreparedRequest:
    return requests.Request(
        "GET", "https://acme.my.salesforce.com", headers={"Authorization": f"Bearer {TOKEN}"}
    ).prepare()


@dataclass
class OfThePackage:
    held: Any

    def __repr__(self) -> str:
        return "silent"


OfThePackage.__module__ = "airflow_provider_sfjwt.salesforce.somewhere"
KEY = shared_private_key()
BODY = "".join(KEY.splitlines()[1:-1])
PLANTED = {
    "a text": TOKEN,
    "bytes": f"token={TOKEN}".encode(),
    "an assertion": jwt.encode({"iss": "me", "sub": "you"}, KEY, algorithm="RS256"),
    "a key": KEY,
    "the body of a key": BODY,
    "a key on one line": KEY.replace("\n", "\\n"),
    "a passphrase": "canary-passphrase",
    "a list in a dict": {"a": [1, {"b": (TOKEN,)}]},
    "an object of the package": OfThePackage(OfThePackage([TOKEN])),
    "a repr": Exception(TOKEN),
    "the request of a library": prepared(),
}


@pytest.mark.parametrize("local", PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_found(local: Any) -> None:
    walk = walked(local)
    assert walk.found
    assert (walk.tracebacks, walk.frames) == (2, 2)  # the error and its context


def test_a_secret_in_the_error_itself_or_before_it_is_found() -> None:
    assert walked(None, ValueError(TOKEN)).found
    error = ConfigurationError({"x": "y"})
    error.said = TOKEN  # type: ignore[attr-defined]
    assert walked(None, error).found
    with_cause = ConfigurationError({"x": "y"})
    with_cause.__cause__ = OSError(TOKEN)
    assert walked(None, with_cause).found
    assert walked("of the caller's own", None, own="caller's own").found


def test_what_is_wrapped_is_not_found() -> None:
    for local in (
        Secret(TOKEN),
        [Secret(KEY)],
        Response(200, {}, TOKEN.encode()),
        base64.b64encode(b"nothing"),
        "00D5e000000abcdEAA",
    ):
        assert walked(local).found == []
