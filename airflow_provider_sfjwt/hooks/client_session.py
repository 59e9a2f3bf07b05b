"""A ``requests`` session for clients that others wrote: it puts in the hook's token and renews it when it dies."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.api.answers import session_expired
from airflow_provider_sfjwt.salesforce.auth.instance import path_at
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.wire.echoes import struck
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.pace import Pace, pacing
from airflow_provider_sfjwt.salesforce.wire.proxies import proxy_for
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, sealed
from airflow_provider_sfjwt.salesforce.wire.transport import requests_options, requests_session

#: Bulk API 1.0 takes the token in this header instead.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_quickstart_login.htm
_BULK_1_HEADER = "X-SFDC-Session"


class ClientSession(requests.Session):
    """Sends each request with the token that works now, in place of the one that the client was made with."""

    org: ConnectedOrg

    @classmethod
    def of(cls, org: ConnectedOrg) -> ClientSession:
        """Make one.

        :param org: whose token and transport settings are used.
        """
        session = requests_session(org.transport.settings, cls)
        if not isinstance(session, cls):  # for the type checker: requests_session promises it
            raise TypeError(f"expected a {cls.__name__}")
        session.org = org
        return session

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request to the org; see ``requests.Session.request``.

        :raises ConfigurationError: for a URL of another host: an answer may name one, and no other host gets the token.
        """
        given = Secret((args, kwargs))  # simple-salesforce's headers have the token, too
        del args, kwargs
        return sealed(lambda: self._answer(method, url, *given.reveal()))

    def _answer(self, method: Any, url: Any, args: Any, kwargs: dict[str, Any]) -> requests.Response:
        token = self.org.token()
        answer = self._request(token, method, url, args, kwargs)
        if not hasattr(kwargs.get("data"), "read") and _expired(answer):
            answer.close()
            token = self.org.token(token)
            answer = self._request(token, method, url, args, kwargs)
        if not answer.ok:
            # simple-salesforce's errors show the whole answer.
            answer._content = struck(answer.text, (token.value,)).encode(answer.encoding or "utf-8")
        return answer

    def _request(self, token: Any, method: Any, url: Any, args: Any, kwargs: dict[str, Any]) -> requests.Response:
        target = _at_instance(str(url), token)
        headers = dict(kwargs.get("headers") or {})
        if _BULK_1_HEADER in headers:
            headers[_BULK_1_HEADER] = token.value
        else:
            headers["Authorization"] = f"Bearer {token.value}"
        settings = self.org.transport.settings
        options = {**requests_options(settings, proxy_for(target, settings.proxy)), **kwargs, "headers": headers}
        with pacing(Pace(settings)) as pace:
            if options.get("stream"):
                pace.stream()
            return super().request(method, target, *args, **options)


def _at_instance(url: str, token: Token) -> str:
    """The same resource by the address of the token's instance, in which nobody can read another host."""
    # simple-salesforce always says https; an org on this machine may speak plain http.
    plain = token.instance_url.startswith("http:")
    path = path_at(token.instance_url, url.replace("https:", "http:", 1) if plain else url)
    if path is None:
        fault = f"is not at {token.instance_url}, where this session sends requests to alone; use a session of your own"
        raise ConfigurationError({"url": fault}, subject="the request")
    return token.url(path)


def _expired(answer: requests.Response) -> bool:
    if answer.status_code not in (400, 401):
        return False
    return session_expired(Response(answer.status_code, {}, answer.content))
