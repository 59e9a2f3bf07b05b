"""What is wrong with a connection: one thing after another is looked at, up to the first that fails.

The steps go from what this machine knows by itself (fields, key, certificate) over what any server shows (clock, host)
to what costs a sign-in (exchange, identity, API limit), so that no sign-in is wasted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.compat.masking import mask
from airflow_provider_sfjwt.doctor.org_pool import MakePool, pool_finding
from airflow_provider_sfjwt.doctor.permissions import permission_findings
from airflow_provider_sfjwt.doctor.verdicts import Finding, failed, verdict_on, warned
from airflow_provider_sfjwt.doctor.watching import Watched, watching_findings
from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ProtocolError,
    SalesforceError,
    TransportError,
    counted,
)
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api import retry
from airflow_provider_sfjwt.salesforce.api.answers import COMPANY
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.api.sign_in import sign_in
from airflow_provider_sfjwt.salesforce.auth.certificates import RENEWAL, read_certificate
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings, Credentials
from airflow_provider_sfjwt.salesforce.auth.diagnosis import APPS, HISTORY, MY_DOMAIN
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey
from airflow_provider_sfjwt.salesforce.auth.login_url import PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE, default_audience
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.auth.token_source import TokenSource
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response
from airflow_provider_sfjwt.salesforce.wire.secret import sealed
from airflow_provider_sfjwt.salesforce.wire.transport import Transport

#: Seconds between the two clocks from which there is a warning, and from which the assertion is too old on arrival.
CLOCK_WARNING, CLOCK_FAILURE = 60.0, 180.0
#: Seconds before a repetition at most, even where Salesforce asks for more: somebody is waiting.
LONGEST_DELAY = 5.0
#: Share of the org's daily API calls below which there is a warning.
CALLS_WARNING = 0.1
_KEY_FIELDS = {"Private key", "Key file", "Key alias", "Key passphrase", "Key or key-store passphrase"}

_SESSION_SETTINGS = "Session Settings"
_LOCKED_SESSION = (
    f"Setup → {_SESSION_SETTINGS}: 'Lock sessions to the IP address from which they originated' breaks it where the "
    "way out to the network has several addresses; or the login URL's org is not the one that answers."
)


class Checkup:
    """One walk through the steps. It signs in once at most, with a session that nobody else uses.

    :param read: reads the connection.
    :param policy: how often requests are repeated, of which at most one repetition is used.
    :param api_version: another API version than the connection's; default None.
    :param certificate: bytes of a certificate's file, in place of the connection's field; default None.
    :param try_audiences: whether other audiences are tried when Salesforce refuses the connection's; default false.
    :param permissions: objects whose permissions are looked at after all other steps; default none.
    :param watched: what is watched, which is looked at last; default none.
    :param make_pool: makes the org's pool in Airflow at the end; default None for no pool.
    :param clock: this machine's clock, seconds since the epoch.
    :param sleep: what waits before a repetition.
    """

    def __init__(
        self,
        read: Callable[[], ConnectionSettings],
        policy: RetryPolicy,
        *,
        api_version: str | None = None,
        certificate: bytes | None = None,
        try_audiences: bool = False,
        permissions: Sequence[str] = (),
        watched: Sequence[Watched] = (),
        make_pool: MakePool | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read = read
        patience = min(policy.longest_delay, LONGEST_DELAY)
        self._policy = replace(policy, attempts=min(2, policy.attempts), longest_delay=patience)
        self._api_version = api_version
        self._certificate = certificate
        self._try_audiences = try_audiences
        self._sobjects, self._watched, self._make_pool = permissions, watched, make_pool
        self._clock = clock
        self._sleep = sleep
        self._summary = ""
        #: Whether Salesforce refused the audience, so that trying others may help.
        self.audience_refused = False

    def findings(self) -> Iterator[Finding]:
        """Take the steps, each when its finding is asked for, and end at the first that fails."""
        try:
            settings = self._read()
            session = Session(self._api_version or settings.api_version, self._policy)
            visit = _Visit(settings, session, self._certificate, self._clock, self._sleep)
        except ConfigurationError as error:
            if set(error.fields) <= _KEY_FIELDS:
                yield Finding("fields", True, "All but those of the key can be used")
                yield verdict_on("key", error, None)
            else:
                yield verdict_on("fields", error, None)
            return
        who = settings.credentials
        summary = f"{who.username} at {who.login_url}, audience {who.audience}"
        if settings.unread:
            detail = f"{summary}; these extras have no effect: {'; '.join(settings.unread)}"
            yield warned("fields", detail, "enter them in the fields that are meant, or remove them")
        else:
            yield Finding("fields", True, summary)
        with closing(visit):
            for name, take in visit.walk():
                try:
                    finding = take(name)
                except SalesforceError as error:
                    finding = verdict_on(name, error, settings)
                yield finding
                if not finding.passed:
                    break
            else:
                if self._sobjects:
                    yield from permission_findings(visit.org, self._sobjects)
                yield from watching_findings(visit.org, settings, self._watched)
                if self._make_pool is not None:
                    yield pool_finding(visit.org, self._make_pool)
            self._summary, self.audience_refused = visit.summary, visit.audience_refused
            if self._try_audiences and visit.audience_refused:
                yield visit.other_audience("audiences")

    def verdict(self) -> tuple[bool, str]:
        """Take all steps, and say how it went in one sentence.

        :return: whether all passed; and who signed in where, or the first failure.
        """
        fault = next((finding for finding in self.findings() if not finding.passed), None)
        return (True, self._summary) if fault is None else (False, fault.sentence())


class _Visit:
    """The steps after the fields, over one transport.

    :param settings: what the connection says.
    :param session: what the flows share.
    :param certificate: in place of the connection's, or None.
    :param clock: seconds since the epoch.
    :param sleep: what waits.
    :raises ConfigurationError: when no connection can be made with these settings.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        session: Session,
        certificate: bytes | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.audience_refused = False
        self.summary = ""
        self._settings = settings
        self._who = settings.credentials
        self._policy = session.policy
        self._file = certificate
        self._clock = clock
        self._outage: TransportError | None = None
        self._signed_in = False
        self._served = 0
        source = TokenSource(self._who, self._first_sign_in, shared=False)
        self.org = self._org = ConnectedOrg(session, Transport(settings.transport, source, sleep=sleep))

    def close(self) -> None:
        """Close the connections; the session is left to end by itself."""
        self._org.close()

    def walk(self) -> tuple[tuple[str, Callable[[str], Finding]], ...]:
        """List the steps by their names, in their order."""
        return (
            ("key", self._key),
            ("certificate", self._certificate),
            ("clock", self._clocks),
            ("host", self._host),
            ("exchange", self._exchange),
            ("identity", self._identity),
            ("API limit", self._limit),
        )

    def _key(self, name: str) -> Finding:
        keys = self._who.keys
        found = "; ".join(
            f"RSA {key.private_key.key_size} bits{f', alias {key.alias}' if key.alias else ''}, {key.fingerprint}"
            for key in keys
        )
        repairs = list(dict.fromkeys(repair for key in keys for repair in key.repairs))
        if repairs:
            detail = f"{found}; repaired on reading: {', '.join(repairs)}"
            return warned(name, detail, "paste the key again, or name its file in Key file")
        return Finding(name, True, f"{found}{'; tried in this order' if len(keys) > 1 else ''}")

    def _certificate(self, name: str) -> Finding:
        material = self._file or self._who.certificate
        if not material:
            detail = "None given, so its end is not known; paste it into Certificate, or use --certificate FILE"
            return Finding(name, True, detail, mark="skipped")
        source = "Certificate" if self._file is None else "--certificate"
        found = read_certificate(material, source=source, fingerprints=[key.fingerprint for key in self._who.keys])
        now = datetime.fromtimestamp(self._clock(), timezone.utc)
        fault = found.fault(now)
        shown = f"{found.subject}, {found.fingerprint}, ends {found.not_after:%Y-%m-%d}"
        if found.fingerprint not in {key.fingerprint for key in self._who.keys}:
            prints = " or ".join(key.fingerprint for key in self._who.keys)
            detail = f"The certificate belongs to another key: {shown}; the connection's key is {prints}"
            remedy = "put the certificate's private key into Private key or Key file, or upload the key's certificate"
            return failed(name, detail, remedy, APPS)
        if fault and not found.not_before <= now < found.not_after:
            return failed(name, f"{fault} ({shown})", RENEWAL, APPS)
        if fault:
            return warned(name, f"{fault} ({shown})", RENEWAL, APPS)
        return Finding(name, True, f"{shown}, in {counted(found.days_left(now), 'day')}; it belongs to the key")

    def _clocks(self, name: str) -> Finding:
        parts = urlsplit(self._who.login_url)
        url = f"{parts.scheme}://{parts.netloc}/services/data/"
        try:
            response, moment = self._org.transport.run(_look(url, self._policy, self._clock))
        except TransportError as error:
            self._outage = error
            return Finding(name, True, "Not compared, since nothing answered", mark="skipped")
        try:
            theirs = parsedate_to_datetime(response.headers["date"]).replace(tzinfo=timezone.utc).timestamp()
        except (KeyError, ValueError, TypeError):
            return Finding(name, True, "Not compared, since the answer carried no Date", mark="skipped")
        apart = theirs - moment
        detail = f"This machine's clock is {abs(apart):.0f} s {'behind' if apart > 0 else 'ahead of'} Salesforce's"
        remedy = "set this machine's clock by NTP: an assertion lives for three minutes"
        if abs(apart) > CLOCK_FAILURE:
            return failed(name, detail, remedy)
        if abs(apart) > CLOCK_WARNING:
            return warned(name, detail, remedy)
        return Finding(name, True, "Within a second of Salesforce's" if abs(apart) < 1.5 else detail)

    def _host(self, name: str) -> Finding:
        if self._outage is not None:
            raise self._outage
        return Finding(name, True, f"{urlsplit(self._who.login_url).netloc} answers")

    def _exchange(self, name: str) -> Finding:
        try:
            token = self._org.token()
        except AuthenticationError as error:
            self.audience_refused = _is_about_audience(error)
            raise
        detail = f"Signed in to {token.instance_url}"
        if len(self._who.keys) == 1:
            return Finding(name, True, detail)
        detail += f" with key {self._served + 1} of {len(self._who.keys)}, {self._who.keys[self._served].fingerprint}"
        if self._served:
            remedy = "put that key first: each miss is a failed login in the org's history"
            return warned(name, detail, remedy, HISTORY)
        return Finding(name, True, detail)

    def _identity(self, name: str) -> Finding:
        token = self._org.token()
        who, offered, used = self._org.run(_identity)
        user = who.get("preferred_username") or self._who.username
        org_id, user_id = who.get("organization_id") or token.org_id, who.get("user_id") or token.user_id
        self.summary = f"Signed in as {user} to org {org_id} at {token.instance_url}, API {used}"
        if float(used) not in offered:
            detail = f"The org does not offer API version {used}, but {min(offered)} to {max(offered)}"
            return failed(name, detail, "empty API version in the connection, or set one of these")
        scopes = f", scopes {token.scopes}" if token.scopes else ""
        detail = f"User {user} ({user_id}) of org {org_id} at {token.instance_url}{scopes}"
        return Finding(name, True, f"{detail}; API {used} is used, the org's newest is {max(offered)}")

    def _limit(self, name: str) -> Finding:
        calls = self._org.run(org_api.limits).get("DailyApiRequests", {})
        left, allowed = calls.get("Remaining"), calls.get("Max")
        if not isinstance(left, int) or not isinstance(allowed, int):
            self.summary += "."
            return Finding(name, True, "Salesforce does not show them to the user", mark="skipped")
        detail = f"{left:,} of {counted(allowed, 'API call')} left today"
        self.summary += f"; {detail}."
        if left < allowed * CALLS_WARNING:
            return warned(name, detail, "find out who uses them, or buy more", COMPANY)
        return Finding(name, True, detail)

    def other_audience(self, name: str) -> Finding:
        """Try the other audiences that come into question, one after another.

        :param name: of the step.
        """
        tried = 0
        for audience in dict.fromkeys((PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE, self._who.login_url)):
            if audience == self._who.audience:
                continue
            tried += 1
            other = replace(self._who, audience=audience)
            try:
                self._org.transport.run(self._sign_in(other))
            except AuthenticationError as error:
                if _is_about_audience(error):
                    continue
                if error.retryable:
                    return failed(name, f"Salesforce takes no further sign-in for the moment{_rows(tried)}", error.hint)
                what = f"{audience}, but refuses the sign-in for another reason ({error.code}: {error.description})"
                return _accepted(name, what, other, tried)
            except TransportError as error:
                return verdict_on(name, error, self._settings)
            return _accepted(name, audience, other, tried)
        remedy = "correct Login URL: it must be the org's own My Domain, or the site's URL for Experience Cloud"
        return failed(name, f"Salesforce accepts no other audience either{_rows(tried)}", remedy, MY_DOMAIN)

    def _first_sign_in(self) -> Flow[Token]:
        if self._signed_in:
            # Another sign-in would bring the same session.
            raise AuthenticationError(
                code="INVALID_SESSION_ID",
                description="Salesforce refuses the session that it has just given",
                hint=_LOCKED_SESSION,
                cause="The session is dead at once",
                short_remedy="untick the lock to the IP address",
                setup_page=_SESSION_SETTINGS,
            )
        self._signed_in = True
        return (yield from self._sign_in(self._who))

    def _sign_in(self, who: Credentials) -> Flow[Token]:
        token = yield from sign_in(who, self._policy, self._clock, self._note_served)
        sealed(lambda: mask(token.value))
        return token

    def _note_served(self, key: SigningKey) -> None:
        self._served = next(number for number, each in enumerate(self._who.keys) if each is key)


def _look(url: str, policy: RetryPolicy, clock: Callable[[], float]) -> Flow[tuple[Response, float]]:
    """Ask for what is there without a session, and note this machine's time in the middle of it."""
    began = clock()
    response = yield from retry.send(lambda: Request("GET", url), policy, repeatable=True)
    return response, (began + clock()) / 2


def _identity(session: Session) -> Flow[tuple[dict[str, Any], list[float], str]]:
    """Ask who the session's user is, which API versions the org offers and which one is used."""
    try:
        # https://help.salesforce.com/s/articleView?id=sf.remoteaccess_using_userinfo_endpoint.htm
        who = yield from session.json("GET", "/services/oauth2/userinfo")
    except (ApiError, ProtocolError):
        who = None  # the app's scopes do not allow it
    versions = yield from session.json("GET", "/services/data/")
    used = yield from session.api_version()
    try:
        offered = [float(version["version"]) for version in versions]
    except (TypeError, KeyError, ValueError):
        offered = []
    return who if isinstance(who, dict) else {}, offered or [float(used)], used


def _is_about_audience(error: AuthenticationError) -> bool:
    return "audience" in error.description.lower()


def _rows(tried: int) -> str:
    return f" ({tried} more {'row' if tried == 1 else 'rows'} in the user's login history)"


def _accepted(name: str, what: str, who: Credentials, tried: int) -> Finding:
    default = default_audience(who.login_url) == who.audience
    remedy = "empty Audience in the connection" if default else f"set Audience in the connection to {who.audience}"
    return warned(name, f"Salesforce accepts the audience {what}{_rows(tried)}", remedy)
