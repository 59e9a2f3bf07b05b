"""Where the token is asked for, and the audience that goes with it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

PRODUCTION_AUDIENCE = "https://login.salesforce.com"
SANDBOX_AUDIENCE = "https://test.salesforce.com"

TOKEN_PATH = "/services/oauth2/token"

#: Hosts of orgs and of Salesforce's login service. Any other host that is not this machine is an Experience Cloud
#: site, which is its own audience.
#: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
_ORG_DOMAINS = (".salesforce.com", ".salesforce.mil", ".crmforce.mil", ".sfcrmproducts.cn", ".database.com")
_SITE_DOMAINS = (".my.site.com", ".force.com")
_UI_DOMAINS = (".lightning.force.com", ".lightning.crmforce.mil", ".salesforce-setup.com", ".vf.force.com")
_NO_URL = "is no URL; enter e.g. https://login.salesforce.com or your My Domain"


def normalise_login_url(entered: str, port: int | None = None) -> str:
    """Understand what people enter as the login URL.

    :param entered: a host, a URL, or a pasted token endpoint.
    :param port: used when ``entered`` names none; None and the scheme's own port add nothing.
    :return: scheme, host and site path without a slash at the end, e.g. ``https://login.salesforce.com``.
    :raises ValueError: with a sentence that says what to enter instead.
    """
    text = entered.strip().strip("\"'")
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, own_port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{_NO_URL}, with a port between 1 and 65535 if any") from None
    if not host or any(character.isspace() for character in text):
        raise ValueError(_NO_URL)
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password; enter the address alone")
    if parts.scheme not in ("https", "http"):
        raise ValueError(f"starts with {parts.scheme}://; enter an https:// address")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("starts with http://, which is allowed for this machine only; enter an https:// address")
    if host.endswith(_UI_DOMAINS):
        raise ValueError(
            "is a page of the Salesforce user interface; enter your My Domain, https://….my.salesforce.com "
            "(Setup → My Domain → Current My Domain URL)"
        )
    path = parts.path.rstrip("/").removesuffix(TOKEN_PATH).rstrip("/")
    if path.startswith("/services/"):
        raise ValueError("ends in a path that is no login address; enter the address without /services/…")
    return f"{parts.scheme}://{_with_port(host, own_port or port, parts.scheme)}{path}"


def default_audience(login_url: str) -> str:
    """The audience that Salesforce expects for a login URL, where the connection names none.

    :param login_url: as :func:`normalise_login_url` returns it.
    :return: the site's URL for an Experience Cloud site, ``https://test.salesforce.com`` for a sandbox, else
        ``https://login.salesforce.com``.

    https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
    """
    parts = urlsplit(login_url)
    host = parts.hostname or ""
    if parts.path or host.endswith(_SITE_DOMAINS) or not (host.endswith(_ORG_DOMAINS) or is_loopback(host)):
        return login_url
    if host.startswith("test.") or ".sandbox." in host or "--" in host:
        return SANDBOX_AUDIENCE
    return PRODUCTION_AUDIENCE


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that plain http is safe.

    :param host: a host name or an address, without a port.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_port(host: str, port: int | None, scheme: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    standard = {"https": 443, "http": 80}[scheme]
    return shown if port in (None, 0, standard) else f"{shown}:{port}"
