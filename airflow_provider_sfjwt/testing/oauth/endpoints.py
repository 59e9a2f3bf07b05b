"""The OAuth endpoints: the JWT bearer token exchange and its neighbours.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from airflow_provider_sfjwt.testing.http.messages import Answer, Request, json_answer
from airflow_provider_sfjwt.testing.identity import Address, Identity
from airflow_provider_sfjwt.testing.oauth.sessions import Session, Sessions
from airflow_provider_sfjwt.testing.settings import Settings

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_REFUSAL_HEADERS = {
    "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
_FORM = "application/x-www-form-urlencoded"


class OAuthRefusalError(Exception):
    """A refused OAuth request: 400 and a JSON object.

    https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm
    """

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.content = {"error": error, "error_description": description}

    def answer(self) -> Answer:
        """Return the HTTP answer that says so."""
        answer = json_answer(self.content, self.status)
        answer.headers |= _REFUSAL_HEADERS
        return answer


def _grant(description: str) -> OAuthRefusalError:
    return OAuthRefusalError("invalid_grant", description)


class OAuth:
    """The endpoints below ``/services/oauth2/``.

    :param settings: policies and the clock.
    :param sessions: where access tokens come from.
    :param identity: the org, its only user and its only app.
    :param address: the org's own URLs.
    """

    def __init__(self, settings: Settings, sessions: Sessions, identity: Identity, address: Address) -> None:
        self._settings = settings
        self._sessions = sessions
        self._identity = identity
        self._address = address
        self._public_key: RSAPublicKey | None = None
        self._exchanges: list[float] = []
        self._lock = threading.Lock()
        self.history: list[str] = []
        self.logins = 0

    def register_certificate(self, pem: str) -> None:
        """Make this certificate the app's only one, as an upload in Setup does.

        :raises ValueError: for what is no PEM certificate of an RSA key.
        """
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("Salesforce takes certificates of RSA keys")
        self._public_key = key

    def endpoint(self, method: str, path: str) -> Callable[[Request], Answer] | None:
        """Return what answers a request, or None where the path is not one of OAuth."""
        if method == "GET" and re.fullmatch(r"/id/\w{18}/\w{18}", path):
            return self.identity
        head, found, name = path.partition("/services/oauth2/")
        site = head.removeprefix("/") or None
        if not found or (site is not None and site not in self._identity.sites):
            return None
        return {
            ("POST", "token"): lambda request: self.token(request, site),
            ("POST", "revoke"): self.revoke,
            ("GET", "revoke"): self.revoke,
            ("POST", "introspect"): self.introspect,
            ("GET", "userinfo"): self.identity,
            ("POST", "userinfo"): self.identity,
        }.get((method, name))

    def token(self, request: Request, site: str | None) -> Answer:
        """Exchange an assertion for an access token.

        :param site: path of the Experience Cloud site below which the endpoint was called, or None.
        :raises OAuthRefusalError: as Salesforce words it.
        """
        try:
            session = self._exchange(request)
        except OAuthRefusalError as refusal:
            self.history.append(str(refusal))
            raise
        with self._lock:
            self.history.append("success")
            self.logins += 1
        url = self._address.url
        content = {
            "access_token": session.token,
            "scope": "id api",
            "instance_url": url,
            "id": f"{url}/id/{self._identity.org_id}/{self._identity.user_id}",
            "token_type": "Bearer",
        }
        if site is not None:
            content |= {"sfdc_community_url": f"{url}/{site}", "sfdc_community_id": "0DB5e0000000001GAA"}
        if "!" not in session.token:
            content |= {"token_format": "jwt", "issued_at": str(int(session.issued * 1000))}
        answer = json_answer(content)
        answer.headers["Cache-Control"] = "no-cache, no-store"
        return answer

    def _exchange(self, request: Request) -> Session:
        form = self._form(request)
        if form.get("grant_type") != JWT_BEARER:
            raise OAuthRefusalError("unsupported_grant_type", "grant type not supported")
        if not form.get("assertion"):
            raise OAuthRefusalError("invalid_request", "must provide assertion")
        claims, signed, signature = self._parsed(form["assertion"])
        if claims.get("iss") != self._identity.consumer_key:
            raise OAuthRefusalError("invalid_client_id", "client identifier invalid")
        if form.get("client_secret", self._identity.consumer_secret) != self._identity.consumer_secret:
            raise OAuthRefusalError("invalid_client", "invalid client credentials")
        self._verify(signed, signature)
        self._check_claims(claims)
        self._check_user(claims["sub"])
        self._check_rate()
        return self._sessions.open(self._identity.username)

    @staticmethod
    def _form(request: Request) -> dict[str, str]:
        if not request.headers.get("Content-Type", "").lower().startswith(_FORM):
            raise OAuthRefusalError("unsupported_grant_type", "grant type not supported")
        parsed = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @staticmethod
    def _parsed(assertion: str) -> tuple[dict[str, Any], bytes, bytes]:
        try:
            head, body, signature = assertion.split(".")
            header, claims = (json.loads(_from_base64url(part)) for part in (head, body))
            if header["alg"] != "RS256" or not isinstance(claims, dict):
                raise ValueError("another algorithm")
            return claims, f"{head}.{body}".encode(), _from_base64url(signature)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _grant("invalid assertion") from None

    def _verify(self, signed: bytes, signature: bytes) -> None:
        if self._public_key is None:
            raise _grant("invalid assertion")
        try:
            self._public_key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise _grant("invalid assertion") from None

    def _check_claims(self, claims: dict[str, Any]) -> None:
        audience, subject, expiry = claims.get("aud"), claims.get("sub"), claims.get("exp")
        if not audience or not isinstance(subject, str) or not subject or expiry is None:
            raise _grant("invalid assertion")
        own = self._address.urls
        accepted = {self._identity.login_url, *own, *(f"{url}/{site}" for url in own for site in self._identity.sites)}
        if not isinstance(audience, str) or audience not in accepted:
            raise _grant("audience is invalid")
        try:
            seconds = float(expiry)
        except (TypeError, ValueError, OverflowError):
            raise _grant("invalid assertion") from None
        # Milliseconds, which Salesforce's own CLI signs, are a far future: that is not refused.
        if not seconds > self._settings.now().timestamp():
            raise _grant("expired authorization code")

    def _check_user(self, username: str) -> None:
        settings = self._settings
        if settings.org_locked:
            raise OAuthRefusalError("inactive_org", "the user's org is locked, closed, or suspended")
        if not settings.app_installed:
            raise OAuthRefusalError("invalid_client", "External client app is not installed in this org")
        if username.lower() != self._identity.username.lower():
            raise _grant("user hasn't approved this consumer")
        if not settings.user_active:
            raise OAuthRefusalError("inactive_user", "user is inactive")
        if settings.ip_restricted:
            raise _grant("ip restricted")
        if not settings.user_approved:
            if settings.permitted_users == "self":
                raise _grant("user hasn't approved this consumer")
            raise OAuthRefusalError("invalid_app_access", "user is not admin approved to access this app")

    def _check_rate(self) -> None:
        now = self._settings.now().timestamp()
        with self._lock:
            self._exchanges = [at for at in self._exchanges if now - at < 3600]
            if self._settings.login_rate is not None and len(self._exchanges) >= self._settings.login_rate:
                raise _grant("login rate exceeded")
            self._exchanges.append(now)

    def revoke(self, request: Request) -> Answer:
        """End the session of a token; GET and POST.

        :raises OAuthRefusalError: for a token that is not alive.
        """
        token = request.parameter("token") or self._form(request).get("token", "")
        if not self._sessions.revoke(token):
            raise OAuthRefusalError("unsupported_token_type", "this token type is not supported")
        return Answer(200)

    def introspect(self, request: Request) -> Answer:
        """Tell whether a token lives, to an app that shows its secret.

        :raises OAuthRefusalError: 401 without the right client id and secret.
        """
        form = self._form(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(given, validate=True).decode()
            except ValueError:
                decoded = ""
            form["client_id"], _, form["client_secret"] = decoded.partition(":")
        app = (self._identity.consumer_key, self._identity.consumer_secret)
        if (form.get("client_id"), form.get("client_secret")) != app:
            raise OAuthRefusalError("invalid_client", "invalid client credentials", 401)
        session = self._sessions.find(form.get("token", ""), use=False)
        if session is None:
            return json_answer({"active": False})
        url = self._address.url
        content = {
            "active": True,
            "scope": "id api",
            "client_id": self._identity.consumer_key,
            "username": session.username,
            "sub": f"{url}/id/{self._identity.org_id}/{self._identity.user_id}",
            "token_type": "access_token",
            "exp": int(session.used) + self._settings.session_seconds,
            "iat": int(session.issued),
            "nbf": int(session.issued),
        }
        return json_answer(content)

    def identity(self, request: Request) -> Answer:
        """Answer userinfo and the identity URL, which say who the token's user is."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth") or self._sessions.find(token.strip()) is None:
            return Answer(403, b"Bad_OAuth_Token", {"Content-Type": "text/html;charset=UTF-8"})
        url, (org_id, user_id) = self._address.url, (self._identity.org_id, self._identity.user_id)
        paths = {"rest": "/services/data/v{version}/", "query": "/services/data/v{version}/query/"}
        content = {
            "sub": f"{url}/id/{org_id}/{user_id}",
            "id": f"{url}/id/{org_id}/{user_id}",
            "user_id": user_id,
            "organization_id": org_id,
            "preferred_username": self._identity.username,
            "username": self._identity.username,
            "name": "Integration User",
            "email": self._identity.username,
            "active": self._settings.user_active,
            "urls": {name: url + path for name, path in paths.items()},
        }
        return json_answer(content)


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
