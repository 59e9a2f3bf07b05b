"""From a connection of the official ``salesforce`` type to the ``salesforce_jwt`` connection that does the same.

https://airflow.apache.org/docs/apache-airflow-providers-salesforce/stable/connections/salesforce.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned
from airflow_provider_sfjwt.salesforce.auth.login_url import default_audience
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

_OLD_PREFIX = "extra__salesforce__"
_SECRETS = {"private_key": "<paste the private key>", "proxy": "<address of the proxy>"}
_USERNAME, _CONSUMER_KEY = "<Salesforce username of the integration user>", "<Consumer Key of the app>"
#: https://help.salesforce.com/s/articleView?id=005132110&type=1 as of April 2026. Such dates have moved before.
_SOAP_ENDS = (
    "Salesforce ends it in API versions 31.0 to 64.0 with the release Summer '27, and versions from 65.0 on do not "
    "have it (https://help.salesforce.com/s/articleView?id=005132110&type=1)"
)
#: https://help.salesforce.com/s/articleView?id=000886201&type=1 as of March 2026.
_PASSWORD_ENDS = (
    "Salesforce deprecates it and names no date for existing apps; partners expect Winter '27 "
    "(https://help.salesforce.com/s/articleView?id=000886201&type=1)"
)
_FIRST_WITHOUT_SOAP_LOGIN = 65.0
_BY_KEY = "OAuth with a JWT bearer assertion, as here"
_SALESFORCE = (".salesforce.com", ".salesforce.mil", ".force.com", ".site.com", ".crmforce.mil", ".sfcrmproducts.cn")


@dataclass(frozen=True, repr=False)
class Conversion:
    """What becomes of an official connection. May hold secrets: show :attr:`shown` instead of :attr:`fields`.

    :param fields: of the new connection, as ``airflow connections import`` takes them.
    :param secret: names of extras that are secret, each with what to show in its place.
    :param sign_in: how the official hook signs in with it.
    :param ends: when that way ends, as far as it is announced; empty where nothing is.
    :param notes: what is not carried over, and what has to be filled in.
    """

    fields: dict[str, Any]
    secret: dict[str, str]
    sign_in: str
    ends: str
    notes: tuple[str, ...]

    @property
    def shown(self) -> dict[str, Any]:
        """The fields with a placeholder for every secret."""
        return self.fields | {"extra": self.fields["extra"] | self.secret}


def convert(*, login: str | None, password: str | None, extra: str | None) -> Conversion:
    """Convert a connection of the type ``salesforce``.

    :param login: its username.
    :param password: the user's password, which no sign-in by key needs.
    :param extra: its extras, as JSON text; the old ``extra__salesforce__…`` names are understood.
    :raises ConfigurationError: when the extras cannot be read.
    """
    extras = _extras(extra)
    notes: list[str] = []
    converted: dict[str, Any] = {"consumer_key": extras.get("consumer_key") or _CONSUMER_KEY}
    if extras.get("private_key_file_path"):
        converted["key_file"] = extras["private_key_file_path"]
    elif extras.get("private_key"):
        converted["private_key"] = extras["private_key"]
    else:
        converted["key_file"] = "<path of the private key on the worker>"
        notes.append(
            "It has no key: make one with 'airflow-salesforce-jwt keygen', and upload its certificate to the app."
        )
    if not extras.get("consumer_key"):
        notes.append("It has no Consumer key: copy it from the app's OAuth settings in Salesforce Setup.")
    _carry_version(extras, converted, notes)
    _carry_proxy(extras, converted, notes)
    host, audience = _addresses(extras, notes)
    notes += _left_behind(password, extras)
    sign_in, ends = _sign_in(login, password, extras)
    if sign_in == _BY_KEY and (audience != default_audience(host) or extras.get("instance_url")):
        converted["audience"] = audience  # the one that the official hook claims today
    fields = {"conn_type": "salesforce_jwt", "login": login or _USERNAME, "host": host, "extra": converted}
    secret = {name: shown for name, shown in _SECRETS.items() if name in converted}
    return Conversion(fields, secret, sign_in, ends, tuple(notes))


def _extras(extra: str | None) -> dict[str, str]:
    try:
        decoded = decode_json(extra or "{}")
    except ValueError:
        raise ConfigurationError({"Extra": "is not JSON"}, subject="the connection") from None
    if not isinstance(decoded, dict):
        raise ConfigurationError({"Extra": "is JSON but not an object"}, subject="the connection")
    # Where both spellings are there, the official hook takes the short one, even if it is empty.
    short = {name.removeprefix(_OLD_PREFIX): value for name, value in decoded.items() if name.startswith(_OLD_PREFIX)}
    named = short | {name: value for name, value in decoded.items() if not name.startswith(_OLD_PREFIX)}
    return {name: _text(value) for name, value in named.items() if value not in (None, "")}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _carry_version(extras: dict[str, str], converted: dict[str, Any], notes: list[str]) -> None:
    if _version(extras):
        converted["api_version"] = f"{_version(extras):.1f}"
    elif extras.get("version"):
        notes.append(f"API Version '{extras['version']}' is not a version, and is left out.")
    else:
        notes.append("It names no API Version: the official hook uses 59.0, this one the newest that it knows.")


def _version(extras: dict[str, str]) -> float:
    match = re.fullmatch(r"[vV]?(\d{2,3})(\.0)?", extras.get("version", ""))
    return float(match[1]) if match else 0.0


def _carry_proxy(extras: dict[str, str], converted: dict[str, Any], notes: list[str]) -> None:
    given = extras.get("proxies")
    if not given:
        return
    # Entered as JSON, as a Python dict, or as an address, none of which the official hook can use from its form.
    found = re.findall(r"https?://[^\s'\",}]+", given)
    keyed = re.search(r"['\"]https['\"]\s*:\s*['\"](https?://[^\s'\"]+)", given)
    if not found:
        notes.append("Proxies holds no http:// address; enter that of the proxy in Proxy.")
        return
    converted["proxy"] = keyed[1] if keyed else found[0]


def _addresses(extras: dict[str, str], notes: list[str]) -> tuple[str, str]:
    """Where the official hook signs in, and the audience that it claims.

    simple-salesforce posts to ``https://{instance_url or domain}.salesforce.com`` and claims
    ``https://{domain}.salesforce.com``; both may be entered in short (``acme.my``) or whole.
    """
    domain = _host(extras.get("domain", "")) or "login.salesforce.com"
    named = _host(extras.get("instance_url", "")) or _my_domain(_host(extras.get("instance", "")))
    if extras.get("instance") or extras.get("instance_url"):
        notes.append(
            "Instance and Instance URL are not carried over as such, since Salesforce names the instance when it gives "
            "a token; a sign-in address in them became Login URL."
        )
    lightning = re.fullmatch(r"(.+)\.lightning\.force\.com", named)
    if lightning:
        named = f"{lightning[1]}.my.salesforce.com"
        notes.append(f"A lightning.force.com address takes no sign-ins; Login URL is the My Domain, {named}.")
    return f"https://{named or domain}", f"https://{domain}"


def _host(entered: str) -> str:
    """The host that an address or a part of one names, e.g. of ``acme.my``; empty where there is none."""
    text = cleaned(entered)
    host = (urlsplit(text if "://" in text else f"https://{text}").hostname or "").rstrip(".")
    if not host or ("." in host and host.endswith(_SALESFORCE)):
        return host
    return f"{host}.salesforce.com"


def _my_domain(host: str) -> str:
    return host if ".my.salesforce." in host else ""


def _left_behind(password: str | None, extras: dict[str, str]) -> list[str]:
    notes = []
    if password:
        notes.append(
            "The user's password is not carried over: signing in by key needs none, and the new connection's Password "
            "field is the passphrase of the key."
        )
    named = {
        "security_token": "Security Token goes with the password and is not carried over.",
        "consumer_secret": "Consumer Secret is not carried over: signing in by key never sends it.",
        "client_id": "Client ID, a name for the log of SOAP calls, is not carried over; Consumer key names the app.",
        "organization_id": "Organization ID belongs to the sign-in by IP range and is not carried over.",
    }
    notes += [sentence for name, sentence in named.items() if extras.get(name)]
    if extras.get("private_key") and extras.get("private_key_file_path"):
        notes.append("It has a key and the path of one; the path is carried over, as the official hook uses it.")
    return notes


def _sign_in(login: str | None, password: str | None, extras: dict[str, str]) -> tuple[str, str]:
    """Tell how the official hook signs in: simple-salesforce takes the first way for which all is there."""
    key = extras.get("private_key_file_path") or extras.get("private_key")
    user = bool(login) and password is not None
    too_new = _version(extras) >= _FIRST_WITHOUT_SOAP_LOGIN
    soap_ends = f"with the API Version set here it fails already; {_SOAP_ENDS}" if too_new else _SOAP_ENDS
    if user and extras.get("security_token"):
        return "SOAP login() with password and security token", soap_ends
    if user and extras.get("organization_id"):
        return "SOAP login() with password and organization id", soap_ends
    if user and extras.get("consumer_key") and extras.get("consumer_secret"):
        return "OAuth with username and password", _PASSWORD_ENDS
    if login and extras.get("consumer_key") and key:
        return _BY_KEY, ""
    if extras.get("consumer_key") and extras.get("consumer_secret") and extras.get("domain"):
        return "OAuth with client credentials", ""
    return "none: fields are missing for every way that the official hook knows", ""
