"""From an error to a verdict: what is wrong, what to change, and on which page of Salesforce Setup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    RequestLimitError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
from airflow_provider_sfjwt.salesforce.auth.diagnosis import CAUSES
from airflow_provider_sfjwt.salesforce.auth.login_url import PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE
from airflow_provider_sfjwt.salesforce.wire.redact import host_of

#: Pages of Salesforce Setup.
APPS, HISTORY, COMPANY, MY_DOMAIN = "External Client App Manager", "Login History", "Company Information", "My Domain"


@dataclass(frozen=True)
class Step:
    """What one look brought.

    :param name: what was looked at.
    :param passed: whether the next step is worth taking.
    :param detail: what was found; of a failure, what is wrong.
    :param remedy: what to change; empty where nothing has to be.
    :param setup_page: name of the page of Salesforce Setup where that is; empty where it is none.
    :param said: what Salesforce or the network said, where that is the reason for a failure.
    :param mark: ``ok``, ``warning``, ``failed`` or ``skipped``.
    :param short: the remedy in few words, for a message that disappears; empty where the remedy is short itself.
    """

    name: str
    passed: bool
    detail: str
    remedy: str = ""
    setup_page: str = ""
    said: str = ""
    mark: str = "ok"
    short: str = ""

    def sentence(self) -> str:
        """Say it in one line, the cause first and the wire's words last; for a message that is shown for seconds."""
        told = ": ".join(part.strip().rstrip(".") for part in (self.detail, self.short or self.remedy) if part)
        page = f"Setup → {self.setup_page}" if self.setup_page else ""
        aside = "; ".join(filter(None, (page, self.said)))
        return " ".join(f"{told} ({aside}).".split()) if aside else f"{' '.join(told.split())}."


def failed(name: str, detail: str, remedy: str = "", setup_page: str = "", *, said: str = "", short: str = "") -> Step:
    """Make the step that ends the walk; the parameters are those of :class:`Step`."""
    return Step(name, False, detail, _capital(remedy), setup_page, said, "failed", _capital(short))


def warned(name: str, detail: str, remedy: str, setup_page: str = "") -> Step:
    """Make a step that passes and yet asks for something; the parameters are those of :class:`Step`."""
    return Step(name, True, detail, _capital(remedy), setup_page, mark="warning")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_PAGES_OF_FIELDS = {"Consumer key": APPS, "Certificate": APPS, "Login URL": MY_DOMAIN, "Username": "Users"}
_PRE_AUTHORIZE = "set Permitted Users to 'Admin approved users are pre-authorized'"
#: By the first mark of each cause of a refusal: what to do in few words, and the page of Setup where that is.
REFUSALS = {
    "hasn't approved this consumer": (f"{_PRE_AUTHORIZE} and add one of the user's permission sets", APPS),
    "not admin approved": ("under Policies, add one of the user's profiles or permission sets", APPS),
    "audience is invalid": (
        f"set Audience to {PRODUCTION_AUDIENCE} for production or {SANDBOX_AUDIENCE} for a sandbox, or correct "
        "Login URL",
        MY_DOMAIN,
    ),
    "invalid assertion": ("upload the certificate made from this key", APPS),
    "expired authorization code": ("set the clock by NTP", HISTORY),
    "client identifier invalid": ("copy Consumer key again, and see that Login URL names the app's org", APPS),
    "login rate exceeded": ("wait 15 to 30 minutes, and run fewer tasks at once", HISTORY),
    "inactive_user": ("activate or unfreeze the user", "Users"),
    "inactive_org": ("an administrator must ask Salesforce Support", COMPANY),
    "ip restricted": ("allow this machine's address in the Login IP Ranges of the user's profile", "Profiles"),
    "not installed in this org": ("install or deploy the app in this org", APPS),
    "unsupported_grant_type": ("correct Login URL", MY_DOMAIN),
    "refresh_token scope is required": (_PRE_AUTHORIZE, APPS),
    "invalid_client": ("check Consumer key, and enable the app's JWT Bearer Flow", APPS),
    "authentication failure": ("look for the reason in the user's last row", HISTORY),
    "invalid_request": ("check Proxy and Login URL", HISTORY),
}
#: By what the innermost error is called: what it means, and what to check.
_OUTAGES = (
    (
        ("Tunnel connection failed", "ProxyError"),
        "the proxy lets nobody through to {host}",
        "check Proxy, and the user and password in it",
    ),
    (("gaierror",), "the name {host} is not known to this machine's DNS", "check Login URL {login_url}, and Proxy"),
    (("ConnectionRefusedError",), "{host} refuses the connection", "check Login URL {login_url}, Port and Proxy"),
    (
        ("SSLCertVerificationError",),
        "{host} shows a TLS certificate that is not trusted here",
        "if a proxy of your company opens TLS, name the PEM file of its authority in CA bundle; else check Login URL "
        "{login_url}",
    ),
    (("SSL",), "{host} does not speak TLS", "check Login URL {login_url}, Port and Proxy"),
    (
        ("no answer in time",),
        "{host} does not answer",
        "have the firewall opened to it, or set Proxy; Login URL is {login_url}",
    ),
    (("",), "the connection to {host} broke", "check Login URL {login_url}, Proxy, and the network of this machine"),
)


def verdict_on(name: str, error: SalesforceError, settings: ConnectionSettings | None) -> Step:
    """Judge what ended a step.

    :param name: of the step.
    :param error: what it raised.
    :param settings: what the connection says, or None where that could not be read.
    """
    if isinstance(error, ConfigurationError):
        return _misconfigured(name, error)
    if isinstance(error, AuthenticationError):
        return _refused(name, error)
    if isinstance(error, TransportError):
        return _unreachable(name, error, settings)
    if isinstance(error, RequestLimitError):
        remedy = "wait until some of them are more than 24 hours old, or buy more"
        return failed(name, "The org's API calls are used up", remedy, COMPANY, said=error.items[0].code)
    if isinstance(error, ApiError):
        remedy = "give the user the permission 'API Enabled' by a permission set, or what the message asks for"
        return failed(name, "Salesforce refuses a request of this user", remedy, "Permission Sets", said=str(error))
    return failed(name, str(error), "check Login URL and Proxy, since something else may answer in Salesforce's place")


def _misconfigured(name: str, error: ConfigurationError) -> Step:
    faults = "; ".join(f"{label}: {fault}" for label, fault in error.fields.items())
    page = next((page for label, page in _PAGES_OF_FIELDS.items() if label in error.fields), "")
    remedy = f"correct {', '.join(error.fields)} of {error.subject}"
    return failed(name, faults, remedy, page)


def _refused(name: str, error: AuthenticationError) -> Step:
    said = " ".join(f"{error.code}: {error.description}".split())
    if error.code.startswith("http_"):
        busy = "Salesforce is in maintenance, or takes no sign-ins for the moment" if error.retryable else ""
        short = "wait, and see https://status.salesforce.com" if busy else "check Login URL and Proxy"
        if busy:
            return failed(name, busy, f"{_capital(short)}. If it lasts: {error.hint}", said=said, short=short)
        other = "Something other than Salesforce answers in its place"
        return failed(name, other, error.hint, MY_DOMAIN, said=said, short=short)
    if error.code == "INVALID_SESSION_ID":
        why, _, remedy = error.hint.partition(". ")
        return failed(name, why, remedy, "Session Settings", said=said, short="untick the lock to the IP address")
    marked = (cause for cause in CAUSES if any(mark in said.lower() for mark in cause.marks))
    cause_known = next(marked, None)
    if cause_known is None:
        reason = "Salesforce refuses the sign-in for a reason that is new here"
        return failed(name, reason, error.hint, HISTORY, said=said, short="look for the user's last row")
    why, _, remedy = error.hint.partition(". ")
    short, page = REFUSALS[cause_known.marks[0]]
    return failed(name, why.rstrip("."), remedy or short, page, said=said, short=short)


def _unreachable(name: str, error: TransportError, settings: ConnectionSettings | None) -> Step:
    text = str(error)
    login_url = settings.credentials.login_url if settings else ""
    # The text begins with the request, "GET host/path: …", whichever of the org's hosts it went to.
    host = text.split(": ", 1)[0].split()[-1].partition("/")[0]
    proxy = host_of(settings.transport.proxy) if settings and settings.transport.proxy else ""
    marks, cause, remedy = next(outage for outage in _OUTAGES if any(mark in text for mark in outage[0]))
    if proxy and marks[0] in ("gaierror", "ConnectionRefusedError"):
        host = f"{proxy}, the proxy,"
    # Signing in adds what to check, which is said better here.
    root = re.sub(r" \(\w+\)$", "", text.split(": ", 1)[-1].partition(". Check ")[0])
    page = MY_DOMAIN if urlsplit(login_url).scheme == "https" and "Login URL" in remedy else ""
    return failed(name, _capital(cause.format(host=host)), remedy.format(login_url=login_url), page, said=root)
