"""From an assertion to an access token, or to an error that says what to change.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from airflow_provider_sfjwt.exceptions import AuthenticationError, ProtocolError
from airflow_provider_sfjwt.salesforce.auth.assertion import sign_assertion
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.auth.diagnosis import MY_DOMAIN, passes_by_itself, refusal
from airflow_provider_sfjwt.salesforce.auth.extras import LABELS
from airflow_provider_sfjwt.salesforce.auth.instance import instance_origin
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey
from airflow_provider_sfjwt.salesforce.auth.login_url import TOKEN_PATH
from airflow_provider_sfjwt.salesforce.wire.echoes import struck
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json
from airflow_provider_sfjwt.salesforce.wire.redact import host_of, shortened
from airflow_provider_sfjwt.salesforce.wire.secret import hidden, sealed
from airflow_provider_sfjwt.salesforce.wire.statuses import REDIRECTS, is_transient, page_title

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, repr=False)
class Token:
    """An access token and what came with it. Its ``repr`` does not show it.

    :param value: the access token, opaque or JWT-shaped.
    :param instance_url: where the org's API is; it may differ from the login URL.
    :param identity_url: its last two parts are the org's id and the user's.
    :param scopes: separated by blanks, as Salesforce lists them; empty where it does not.
    """

    value: hidden[str] = hidden()
    instance_url: str  # type: ignore[misc]  # mypy takes the descriptor before it for a default
    identity_url: str = ""
    scopes: str = ""

    @property
    def org_id(self) -> str | None:
        """The org's 18-character id, where Salesforce names it."""
        return self._identity(-2)

    @property
    def user_id(self) -> str | None:
        """The user's 18-character id, where Salesforce names it."""
        return self._identity(-1)

    def url(self, path: str) -> str:
        """The address of a resource at the token's own instance, the only host that may get the token.

        :param path: from the root, with a query string where there is one; it may come from an answer.
        :raises ProtocolError: for anything but a path, which would lead to another host.
        """
        if not path.startswith("/"):
            raise ProtocolError(
                f"'{shortened(path)}' is not a path on {self.instance_url}, to which the token is sent alone"
            )
        return self.instance_url + path

    def signed(self, draft: Request) -> Request:
        """The request with the token, at the token's own instance.

        :param draft: with a path in place of its URL.
        """
        headers = {**draft.headers, "Authorization": f"Bearer {self.value}"}
        return replace(draft, url=self.url(draft.url), headers=headers, secrets=(self.value,))

    def _identity(self, position: int) -> str | None:
        parts = urlsplit(self.identity_url).path.strip("/").split("/")
        return parts[position] if len(parts) >= 3 and parts[0] == "id" else None

    def __repr__(self) -> str:
        return f"Token(org {self.org_id} at {self.instance_url})"

    def __reduce__(self) -> str:
        raise TypeError("a token is never serialized")


def token_request(credentials: Credentials, key: SigningKey, *, now: float) -> Request:
    """The request that exchanges a fresh assertion for a token.

    :param credentials: who signs in.
    :param key: what to sign with.
    :param now: seconds since the epoch.
    """
    return sealed(lambda: _token_request(credentials, sign_assertion(credentials, key, now=now)))


def _token_request(credentials: Credentials, assertion: str) -> Request:
    # The assertion goes into the body: a query string ends up in the logs of proxies.
    return Request(
        "POST",
        credentials.login_url + TOKEN_PATH,
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode("ascii"),
        secrets=(assertion,),
    )


def decode_token(response: Response, credentials: Credentials) -> Token:
    """Turn the token endpoint's answer into a token or an error.

    :param response: the answer.
    :param credentials: who signed in, for the hint of a refusal.
    :raises AuthenticationError: for everything but a token.
    """
    return sealed(lambda: _token_in(response, credentials))


def _token_in(response: Response, credentials: Credentials) -> Token:
    answer = _decoded(response)
    if response.ok and isinstance(answer, dict) and answer.get("instance_url"):
        if str(answer.get("token_type", "")).lower() == "dpop":
            raise refusal("token_type", "the token is a DPoP token", credentials)
        value = answer.get("access_token")
        # Only what can stand in a header: anything else would end up in the error of the library that refuses it.
        if isinstance(value, str) and re.fullmatch(r"[!-~]+", value):
            identity, scopes = (struck(str(answer.get(name) or ""), (value,)) for name in ("id", "scope"))
            return Token(value, _instance(answer["instance_url"], credentials), identity, scopes)
    said = _refusal_in(response)
    if said is None:
        raise _no_oauth(response, credentials)
    raise refusal(*said, credentials, retryable=is_transient(response))


def is_transient_refusal(response: Response) -> bool:
    """Whether the token endpoint's answer may be another one in a few seconds.

    :param response: the answer.
    """
    said = _refusal_in(response)
    return is_transient(response) or (said is not None and passes_by_itself(*said))


def _decoded(response: Response) -> Any:
    try:
        return decode_json(response.body)
    except ValueError:
        return None


def _refusal_in(response: Response) -> tuple[str, str] | None:
    """The code and description of a refusal, as OAuth writes it or as Salesforce's API does; None where there is none.

    https://datatracker.ietf.org/doc/html/rfc6749#section-5.2
    """
    if "dpop" in response.headers.get("www-authenticate", "").lower():
        return "use_dpop_nonce", "the answer asks for a DPoP proof"  # https://www.rfc-editor.org/rfc/rfc9449#section-8
    answer = _decoded(response)
    entry = answer[0] if isinstance(answer, list) and answer else answer
    code = (entry.get("error") or entry.get("errorCode")) if isinstance(entry, dict) else None
    if not code:
        return None
    return str(code), str(entry.get("error_description") or entry.get("message") or "no description")


def _instance(answered: Any, credentials: Credentials) -> str:
    """The address of the org's API, so that a token goes to no host that the connection does not stand for."""
    try:
        return instance_origin(answered, credentials.login_url, credentials.instance_domains)
    except ValueError as fault:
        said = str(fault)
    raise AuthenticationError(
        code="instance_url",
        description=said,
        hint="Check Login URL and Proxy: another server may answer in Salesforce's place. If the org is there, enter "
        f"its domain in {LABELS['instance_domains']} (the extra 'instance_domains').",
        cause=f"The answer of {host_of(credentials.login_url)} names an address to which no token is sent",
        short_remedy=f"check Login URL and Proxy, or enter the org's domain in {LABELS['instance_domains']}",
        setup_page=MY_DOMAIN,
    )


def _no_oauth(response: Response, credentials: Credentials) -> AuthenticationError:
    endpoint = f"{credentials.login_url}{TOKEN_PATH}"
    title = page_title(response)
    page = f"a page titled '{title}'" if title else "no OAuth answer"
    kind = shortened(response.headers.get("content-type", "no content type").partition(";")[0])
    target = _redirected_to(response, endpoint)
    busy = is_transient(response) or b"Data Not Available" in response.body
    if target:
        cause = f"{host_of(endpoint)} redirects sign-ins to {target}"
        short = f"set Login URL to https://{target}, if that is your org"
    elif busy:
        cause = "Salesforce is in maintenance, or takes no sign-ins for the moment"
        short = "wait, and see https://status.salesforce.com"
    else:
        cause = "Something other than Salesforce answers in its place"
        short = "check Login URL and Proxy"
    return AuthenticationError(
        code=f"http_{response.status}",
        description=f"{endpoint} answered with {f'a redirect to {target}' if target else f'{page} ({kind})'}",
        hint=f"{short[0].upper()}{short[1:]}. Check Login URL: it must be https://login.salesforce.com, "
        "https://test.salesforce.com, your My Domain or an Experience Cloud site. If it is right, a proxy answers in "
        "Salesforce's place (check Proxy), or the org is in maintenance.",
        cause=cause,
        short_remedy=short,
        setup_page="" if busy else MY_DOMAIN,
        retryable=busy,
    )


def _redirected_to(response: Response, endpoint: str) -> str:
    """The host that an answer redirects to, or nothing where it names none."""
    if response.status not in REDIRECTS:
        return ""
    try:
        return shortened(host_of(urljoin(endpoint, response.headers.get("location", ""))))
    except ValueError:
        return ""
