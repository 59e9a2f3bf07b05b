"""Which hosts a token may go to: Salesforce's own, the login URL's, and those that the connection names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned
from airflow_provider_sfjwt.salesforce.auth.login_url import is_loopback
from airflow_provider_sfjwt.salesforce.wire.redact import shortened

#: Domains on which Salesforce serves the API of orgs: ``.mil`` is its Government Cloud, ``.cn`` is Salesforce on
#: Alibaba Cloud; ``cloudforce``, ``database`` and ``force`` are those of older My Domains and of sites.
#: https://help.salesforce.com/s/articleView?id=sf.domain_name_url_formats.htm
#: https://help.salesforce.com/articleView?id=000003652&type=1 (the source of the list in Salesforce's own CLI)
SALESFORCE_DOMAINS = (
    "salesforce.com", "force.com", "cloudforce.com", "database.com", "my.site.com",
    "salesforce.mil", "force.mil", "cloudforce.mil", "crmforce.mil",
    "sfcrmproducts.cn", "sfcrmapps.cn",
)  # fmt: skip
#: Host names as they are sent. A name in other letters must be written as ``xn--…``, so that it looks like what it is.
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*")
_ADDRESS = re.compile(r"\[[0-9a-f:.]+\]")


def origin_of(url: str) -> str | None:
    """The origin of a URL as it is compared: in small letters, without a standard port and a dot at the host's end.

    :param url: an absolute URL.
    :return: e.g. ``https://acme.my.salesforce.com``; None for anything but an http or https URL without a user name,
        whose parts every program reads alike.

    https://datatracker.ietf.org/doc/html/rfc6454#section-4
    """
    # A backslash is a slash to some programs, and part of a host to others.
    if not url.isascii() or not url.isprintable() or re.search(r"[\\\s]", url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, netloc = parts.scheme, parts.netloc.lower()
    if scheme not in ("https", "http") or "@" in netloc or port == 0:
        return None
    host = netloc.removesuffix(f":{port}") if port is not None else netloc.removesuffix(":")
    host = host.removesuffix(".")
    if not (_HOST.fullmatch(host) or _ADDRESS.fullmatch(host)):
        return None
    return f"{scheme}://{host}" if port in (None, {"https": 443, "http": 80}[scheme]) else f"{scheme}://{host}:{port}"


def path_at(origin: str, url: str) -> str | None:
    """The path of a URL, with its query string, without the origin.

    :param origin: as :func:`origin_of` returns it.
    :param url: an absolute URL.
    :return: None for a URL of another origin.
    """
    if origin_of(url) != origin:
        return None
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def instance_origin(answered: Any, login_url: str, domains: Iterable[str]) -> str:
    """The address of an org's API, where it may be believed.

    :param answered: ``instance_url`` of the token endpoint's answer.
    :param login_url: of the connection.
    :param domains: that the connection allows besides Salesforce's own and the login URL's.
    :return: the origin.
    :raises ValueError: with a clause that says why not, and with the address.
    """
    origin = origin_of(answered) if isinstance(answered, str) else None
    # The literal comparison catches a path, a query and a fragment, which would become part of every address.
    if origin is None or urlsplit(answered).path.strip("/") or re.search(r"[?#]", answered):
        raise ValueError(f"{_shown(answered)} is not the address of an org")
    host = _host(origin)
    if origin.startswith("http:") and not is_loopback(host):
        raise ValueError(f"{_shown(answered)} is an http:// address, over which no token is sent")
    if not _is_trusted(host, _host(login_url), domains):
        raise ValueError(f"{_shown(answered)} is not a host of Salesforce's or of Login URL")
    return origin


def read_domains(entered: str) -> tuple[str, ...]:
    """Read the connection's own list of domains.

    :param entered: names, separated by commas or blanks; a ``*.`` before a name is understood.
    :raises ValueError: with a sentence that says what to enter instead.
    """
    domains = [each.lower().removeprefix("*").strip(".") for each in re.split(r"[\s,;]+", cleaned(entered)) if each]
    for domain in domains:
        if not _HOST.fullmatch(domain) or ("." not in domain and not is_loopback(domain)):
            raise ValueError(
                f"holds '{shortened(domain)}', which is not a domain; enter e.g. salesforce.acme.com, several with "
                "commas between them, without https://"
            )
    return tuple(dict.fromkeys(domains))


def _is_trusted(host: str, login_host: str, domains: Iterable[str]) -> bool:
    if is_loopback(host) and is_loopback(login_host):
        return True
    return any(host == domain or host.endswith(f".{domain}") for domain in (*SALESFORCE_DOMAINS, login_host, *domains))


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def _shown(answered: Any) -> str:
    """The address for an error, without a user name and password that stand in it."""
    text = str(answered).rpartition("@")[2] if isinstance(answered, str) else type(answered).__name__
    return f"'{shortened(text)}'"
