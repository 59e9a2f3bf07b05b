"""From an error to a finding: what is wrong, what to change, and on which page of Salesforce Setup."""

from __future__ import annotations

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
from airflow_provider_sfjwt.salesforce.api.answers import COMPANY, PERMISSION_SETS
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
from airflow_provider_sfjwt.salesforce.auth.diagnosis import APPS, MY_DOMAIN, USERS


@dataclass(frozen=True)
class Finding:
    """What one step found.

    :param name: the step.
    :param passed: whether the next step is worth taking.
    :param detail: what was found; of a failure, what is wrong.
    :param remedy: what to change; empty where nothing has to be.
    :param setup_page: name of the page of Salesforce Setup where that is; empty where it is not in Setup.
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
        found = ": ".join(part.strip().rstrip(".") for part in (self.detail, self.short or self.remedy) if part)
        page = f"Setup → {self.setup_page}" if self.setup_page else ""
        aside = "; ".join(filter(None, (page, self.said)))
        return " ".join(f"{found} ({aside}).".split()) if aside else f"{' '.join(found.split())}."


def failed(
    name: str, detail: str, remedy: str = "", setup_page: str = "", *, said: str = "", short: str = ""
) -> Finding:
    """Make the finding that ends the walk; the parameters are those of :class:`Finding`."""
    return Finding(name, False, detail, _capital(remedy), setup_page, said, "failed", _capital(short))


def warned(name: str, detail: str, remedy: str, setup_page: str = "") -> Finding:
    """Make a finding that passes and yet asks for something; the parameters are those of :class:`Finding`."""
    return Finding(name, True, detail, _capital(remedy), setup_page, mark="warning")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_PAGES_OF_FIELDS = {"Consumer key": APPS, "Certificate": APPS, "Login URL": MY_DOMAIN, "Username": USERS}


def verdict_on(name: str, error: SalesforceError, settings: ConnectionSettings | None) -> Finding:
    """Judge what ended a step.

    :param name: of the step.
    :param error: what it raised.
    :param settings: what the connection says, or None where that could not be read.
    """
    if isinstance(error, ConfigurationError):
        page = next((page for label, page in _PAGES_OF_FIELDS.items() if label in error.fields), "")
        return failed(name, error.summary, f"correct {', '.join(error.fields)} of {error.subject}", page)
    if isinstance(error, AuthenticationError):
        said = " ".join(f"{error.code}: {error.description}".split())
        return failed(name, error.cause, error.hint, error.setup_page, said=said, short=error.short_remedy)
    if isinstance(error, TransportError):
        return _unreachable(name, error, settings)
    if isinstance(error, RequestLimitError):
        remedy = "wait until some of them are more than 24 hours old, or buy more"
        return failed(name, "The org's API calls are used up", remedy, COMPANY, said=error.items[0].code)
    if isinstance(error, ApiError):
        remedy = error.remedy or "give the user the permission 'API Enabled' by a permission set"
        page = error.setup_page or PERMISSION_SETS
        return failed(name, "Salesforce refuses a request of this user", remedy, page, said=str(error))
    remedy = error.remedy or "check Login URL and Proxy, since something else may answer in Salesforce's place"
    return failed(name, str(error), remedy)


def _unreachable(name: str, error: TransportError, settings: ConnectionSettings | None) -> Finding:
    login_url = settings.credentials.login_url if settings else ""
    about_login_url = "Login URL" in error.remedy and urlsplit(login_url).scheme == "https"
    where = f"{error.remedy.rstrip('.')}. Login URL is {login_url}." if "Login URL" in error.remedy else error.remedy
    return failed(
        name, error.cause, where, MY_DOMAIN if about_login_url else "", said=error.said, short=error.remedy.rstrip(".")
    )
