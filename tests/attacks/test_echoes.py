"""No secret that a server repeats comes out of the package, and no text of megabytes."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
from argparse import Namespace
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from simple_salesforce.exceptions import SalesforceError as SimpleSalesforceError

from airflow_provider_sfjwt.cli.connection_check import check
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.org import limits
from airflow_provider_sfjwt.salesforce.auth.token_source import forget_tokens
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key
from tests.attacks.echo_server import ACCESS_TOKEN, EchoServer, running_echo_server
from tests.orgs import fresh_masker

__all__ = ["fresh_masker"]

APP_SECRET = "s3cr3t-0f-the-app-4711"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "capitals": str.upper,
    "URL": lambda text: quote(text, safe="").replace(".", "%2e"),
    "JSON": lambda text: json.dumps(json.dumps(text)),
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "cut": lambda text: text[:60],
}
pytestmark = [
    pytest.mark.attack(
        "an answer that repeats the request",
        before="the assertion in AuthenticationError, a token in check --json",
        after="struck out in every encoding, 16,000 characters at most",
    ),
    pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS),
]


def connect(monkeypatch: pytest.MonkeyPatch, server: EchoServer) -> None:
    extra = {"consumer_key": "3MVG9abc", "private_key": shared_private_key(), "consumer_secret": APP_SECRET}
    content = {"conn_type": "salesforce_jwt", "login": "user@acme.com", "host": server.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(content))
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "1")
    forget_tokens()


def texts_of(error: BaseException) -> str:
    """Everything that an error may show."""
    chain = "".join(f"{each}{vars(each)}" for each in (error.__cause__, error.__context__) if each is not None)
    return f"{error}{error.args}{vars(error)}{chain}"


def check_json(capsys: pytest.CaptureFixture[str]) -> str:
    arguments = Namespace(
        conn_id="salesforce_jwt_default",
        dags=None,
        permissions=None,
        watch=[],
        make_pool=False,
        certificate=None,
        try_audiences=True,
        json=True,
        verbose=False,
    )
    with pytest.raises(SystemExit):
        check(arguments)
    return "".join(capsys.readouterr())


async def waiting() -> Any:
    async with SalesforceJwtHook().aconnect() as connected:
        return await connected.run(limits)


def all_texts(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What users see of a server that repeats everything: errors of every client, the doctor's output, the log."""
    hook = SalesforceJwtHook()
    calls: list[Callable[[], Any]] = [hook.limits, lambda: asyncio.run(waiting()), hook.introspect, hook.revoke]
    calls += [
        lambda: list(hook.query("SELECT Id FROM Account")),
        lambda: hook.get_conn().query("SELECT Id FROM Account"),
    ]
    texts = []
    with caplog.at_level(logging.DEBUG):
        for call in calls:
            with pytest.raises((SalesforceError, SimpleSalesforceError)) as caught:
                call()
            texts.append(texts_of(caught.value))
            assert isinstance(caught.value, SimpleSalesforceError) or len(str(caught.value)) < 17_000
        shown = [check_json(capsys), str(hook.test_connection())]
        assert all(len(each) < 20_000 for each in shown)
        texts += shown
    return [*texts, caplog.text]


@pytest.mark.parametrize("signs_in", [False, True], ids=["at the sign-in", "of the API"])
def test_nothing_comes_out(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    encode: Callable[[str], str],
    signs_in: bool,
) -> None:
    with running_echo_server(encode, signs_in=signs_in) as server:
        connect(monkeypatch, server)
        texts = all_texts(caplog, capsys)
    assert any("***" in text for text in texts)  # so there was something to strike out
    assert len(server.secrets) > (2 if signs_in else 0)
    if signs_in:
        assert {ACCESS_TOKEN, APP_SECRET} <= server.secrets
    for secret in server.secrets:
        # The claims of an assertion and the org's id are no secrets; the rest, in pieces of 24, must not come out.
        wanted = encode(secret.rpartition(".")[2] if secret.startswith("eyJ") else secret)
        pieces = [wanted[start : start + 30] for start in range(0, max(1, len(wanted) - 29), 5)]
        found = [piece for piece in pieces for text in texts if piece in text]
        assert found == []
