"""Signing in, asking what a token is worth, and signing out: the conversations with Salesforce's OAuth endpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from airflow_provider_sfjwt.exceptions import AuthenticationError, ConfigurationError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import answers, retry
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.auth.extras import LABELS
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey
from airflow_provider_sfjwt.salesforce.auth.token import Token, decode_token, is_transient_refusal, token_request
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request

log = logging.getLogger(__name__)

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sign_in(
    credentials: Credentials,
    policy: RetryPolicy,
    clock: Callable[[], float] = time.time,
    served: Callable[[SigningKey], None] | None = None,
) -> Flow[Token]:
    """Exchange an assertion for a token, with the first key that Salesforce accepts.

    :param credentials: who signs in; its keys are tried in order where Salesforce says "invalid assertion", so that a
        certificate can be replaced without a failed run.
    :param policy: how often an exchange is repeated that brought no answer, or one that passes.
    :param clock: seconds since the epoch.
    :param served: is called with the key that was accepted.
    :return: the token.
    :raises AuthenticationError: when Salesforce refuses.
    :raises TransportError: when the login URL cannot be reached.
    """
    key, token = yield from _first_that_fits(credentials, policy, clock)
    if key is not credentials.keys[0]:
        log.warning(
            "Signed in with a key that is not the first of the connection's Private key: %s. Put it first and remove "
            "the ones before it: each miss is a failed login in the org's history.",
            key.fingerprint,
        )
    if served is not None:
        served(key)
    return token


def _first_that_fits(
    credentials: Credentials, policy: RetryPolicy, clock: Callable[[], float]
) -> Flow[tuple[SigningKey, Token]]:
    *others, last = credentials.keys
    for key in others:
        try:
            return key, (yield from _exchange(credentials, key, policy, clock))
        except AuthenticationError as refusal:
            if "invalid assertion" not in refusal.description.lower():
                raise
    return last, (yield from _exchange(credentials, last, policy, clock))


def _exchange(
    credentials: Credentials, key: SigningKey, policy: RetryPolicy, clock: Callable[[], float]
) -> Flow[Token]:
    response = yield from retry.send(
        # A fresh assertion each time, since each one ages.
        lambda: token_request(credentials, key, now=clock()),
        policy,
        repeatable=True,  # Salesforce gives the same token again
        transient=is_transient_refusal,
    )
    return decode_token(response, credentials)


def revoke(token: Token, policy: RetryPolicy) -> Flow[None]:
    """End a session, for everybody who uses it: repeated sign-ins of one user share one.

    :param token: the session's token.
    :param policy: how often a request is repeated that brought no answer.
    :raises ApiError: when Salesforce refuses, e.g. because the session has ended already.

    https://help.salesforce.com/s/articleView?id=sf.remoteaccess_revoke_token.htm
    """
    path = "/services/oauth2/revoke"
    yield from _post(_form_request(token.url(path), {"token": token.value}, (token.value,)), path, policy)


def introspect(token: Token, credentials: Credentials, policy: RetryPolicy) -> Flow[dict[str, Any]]:
    """Ask what a token is worth: ``active``, ``scope``, ``username``, ``exp`` and more.

    :param token: the token.
    :param credentials: with the app's consumer secret, which nothing else needs.
    :param policy: how often a request is repeated that brought no answer.
    :return: what Salesforce said, without any token.
    :raises ConfigurationError: when the connection holds no consumer secret.
    :raises ApiError: when Salesforce refuses.

    https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oidc_token_introspection.htm
    """
    if credentials.consumer_secret is None:
        fault = "is missing; only token introspection needs it"
        raise ConfigurationError({LABELS["consumer_secret"]: fault})
    # To the server that issued the token, which the connection names: the secret goes to no address out of an answer.
    path = "/services/oauth2/introspect"
    answer = yield from _post(_introspection(token, credentials, credentials.login_url + path), path, policy)
    if not isinstance(answer, dict):
        raise ProtocolError("the introspection of a token did not answer with an object")
    return answer


def _introspection(token: Token, credentials: Credentials, url: str) -> Request:
    secret = credentials.consumer_secret or ""
    form = {
        "token": token.value,
        "token_type_hint": "access_token",
        "client_id": credentials.consumer_key,
        "client_secret": secret,
    }
    return _form_request(url, form, (token.value, secret))


def _form_request(url: str, form: dict[str, str], secrets: tuple[str, ...]) -> Request:
    return Request("POST", url, _FORM, urlencode(form).encode("ascii"), secrets=secrets)


def _post(request: Request, path: str, policy: RetryPolicy) -> Flow[Any]:
    response = yield from retry.send(lambda: request, policy, repeatable=True)
    return answers.data(response, method="POST", path=path)
