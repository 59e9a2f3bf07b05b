"""Where the token is asked for, and the audience that goes with it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned
from airflow_provider_sfjwt.salesforce.wire.proxies import is_host_name

PRODUCTION_AUDIENCE = "https://login.salesforce.com"
SANDBOX_AUDIENCE = "https://test.salesforce.com"

TOKEN_PATH = "/services/oauth2/token"

#: Hosts of orgs and of Salesforce's login service. Any other host that is not this machine is an Experience Cloud
#: site, which is its own audience.
#: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
_ORG_DOMAINS = (".salesforce.com", ".salesforce.mil", ".crmforce.mil", ".sfcrmproducts.cn", ".database.com")
_SITE_DOMAINS = (".my.site.com", ".force.com")
#: Hosts of pages for people, and of files: they answer no sign-in.
#: https://help.salesforce.com/s/articleView?id=sf.domain_name_url_formats.htm
_UI_DOMAINS = (
    ".lightning.force.com",
    ".lightning.crmforce.mil",
    ".lightning.pc-rnd.force.com",
    ".my.salesforce-setup.com",
    ".salesforce-setup.com",
    ".vf.force.com",
    ".visual.force.com",
    ".visualforce.com",
    ".documentforce.com",
    ".file.force.com",
    ".content.force.com",
    ".builder.salesforce-experience.com",
    ".live-preview.salesforce-experience.com",
    ".live.salesforce-experience.com",
    ".preview.salesforce-experience.com",
    ".salesforce-experience.com",
    ".container.force.com",
    ".container.lightning.com",
    ".lightning.com",
)
#: Parts of a My Domain's name that mark a sandbox or a scratch org. The others (develop, trailblaze, demo,
#: free, patch) sign in where production does.
#: https://help.salesforce.com/s/articleView?id=sf.domain_name_partitioned_domains.htm
_SANDBOX_PARTITIONS = re.compile(r"\.(?:sandbox|scratch)\.|--|(?:^|\.)cs\d+\.")
_PARTITIONS = re.compile(r"\.(sandbox|scratch|develop|trailblaze|demo|free|patch|stage)$")
_MY_DOMAIN = "your My Domain, https://….my.salesforce.com (Setup → My Domain → Current My Domain URL)"
_NO_URL = "is not a URL; enter e.g. https://login.salesforce.com or your My Domain"
#: What stands where the host should, in a mistyped URL or a value of another connection type.
_NO_HOSTS = frozenset(("", "http", "https", "none", "null", "login", "test"))
#: What follows the address of a site on its pages.
_SITE_PAGES = re.compile(r"/s(?:/.*)?$|/login/?$")


def normalise_login_url(entered: str, port: int | None = None) -> str:
    """Understand what people enter as the login URL.

    :param entered: a host, a URL, a pasted token endpoint, or the address of a page in Setup.
    :param port: used when ``entered`` names none; None and the scheme's own port add nothing.
    :return: scheme, host and site path without a slash at the end, e.g. ``https://login.salesforce.com``.
    :raises ValueError: with a sentence that says what to enter instead.
    """
    text = cleaned(entered)
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, own_port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise ValueError(f"{_NO_URL}, with a port between 1 and 65535 if any") from None
    if host in _NO_HOSTS or any(character.isspace() or character == "\\" for character in text):
        raise ValueError(_NO_URL)
    if not is_host_name(host):
        raise ValueError(f"{_NO_URL}. A part of the host between two dots is empty or longer than 63 characters")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password; enter the address alone")
    if parts.scheme not in ("https", "http"):
        raise ValueError(f"starts with {parts.scheme}://; enter an https:// address")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("starts with http://, which is allowed for this machine only; enter an https:// address")
    if host.endswith(_UI_DOMAINS):
        raise ValueError(f"is a page of Salesforce's UI; enter {_my_domain_of(host)}")
    return f"{parts.scheme}://{_with_port(host, own_port or port, parts.scheme)}{_site_path(host, parts.path)}"


def _site_path(host: str, path: str) -> str:
    """What of a path belongs to the login address: that of a site; an org has none."""
    path = path.rstrip("/")
    if path.lower().endswith(TOKEN_PATH):
        path = path[: -len(TOKEN_PATH)].rstrip("/")
    if path.lower().startswith("/services/"):
        raise ValueError("ends in a path that is not a login address; enter the address without /services/…")
    if host.endswith(_ORG_DOMAINS):
        return ""
    return _SITE_PAGES.sub("", path) if host.endswith(_SITE_DOMAINS) else path


def _my_domain_of(host: str) -> str:
    """The My Domain that belongs to a page's host, as far as the host shows it."""
    lightning = re.fullmatch(r"(.+)\.(?:lightning\.force\.com|my\.salesforce-setup\.com)", host)
    # The pages of a package or namespace: <My Domain>--<namespace>, before the partition.
    page = re.fullmatch(r"(.+?)--[a-z0-9_]+((?:\.\w+)?)\.vf\.force\.com", host)
    if lightning:
        name = lightning[1]
    elif page and (page[2] != ".sandbox" or "--" in page[1]):
        name = page[1] + page[2]
    else:
        return _MY_DOMAIN
    bare = _PARTITIONS.sub("", name)
    return f"your My Domain, https://{name}.my.salesforce.com" if "." not in bare else _MY_DOMAIN


def default_audience(login_url: str) -> str:
    """The audience that Salesforce expects for a login URL, where the connection names none.

    :param login_url: as :func:`normalise_login_url` returns it.
    :return: the site's URL for an Experience Cloud site, ``https://test.salesforce.com`` for a sandbox or a scratch
        org, else ``https://login.salesforce.com``.

    https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
    """
    parts = urlsplit(login_url)
    host = parts.hostname or ""
    if parts.path or host.endswith(_SITE_DOMAINS) or not (host.endswith(_ORG_DOMAINS) or is_loopback(host)):
        return login_url
    sandbox = host.startswith("test.") or _SANDBOX_PARTITIONS.search(host)
    return SANDBOX_AUDIENCE if sandbox else PRODUCTION_AUDIENCE


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
