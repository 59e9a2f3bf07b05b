"""Which proxy carries a request: the form's, else the environment's. One rule for both transports."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_sfjwt.salesforce.wire.redact import host_of

_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")


@dataclass(frozen=True)
class Proxy:
    """A proxy and who named it.

    :param url: its address. Not shown in a ``repr``: it may hold a password.
    :param source: where it is named: the form's field ``Proxy``, or a variable of the environment.
    """

    url: str = field(repr=False)
    source: str

    @property
    def host(self) -> str:
        """Its host and port, without user and password."""
        return host_of(self.url)

    def fault(self, socks_library: str) -> str:
        """What is wrong with its address, in one clause; empty where it can be used.

        :param socks_library: the package with which the transport speaks to SOCKS proxies.
        """
        parts = urlsplit(self.url)
        if parts.scheme in _SOCKS:
            missing = f"a SOCKS proxy, for which the package '{socks_library}' would have to be installed here"
            return "" if find_spec(socks_library) else missing
        if parts.scheme not in ("http", "https"):
            return "no http:// or https:// address"
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            return "an address whose port is not a number between 1 and 65535"
        return "" if host and port != 0 and is_host_name(host) else "an address without a host name that can be used"


def proxy_for(url: str, form: str | None) -> Proxy | None:
    """Choose the proxy for a request.

    :param url: where the request goes.
    :param form: the connection's own proxy, which carries every request; None for the environment's.
    :return: None where the request goes directly.
    """
    if form is not None:
        return Proxy(form, "Proxy")
    parts = urlsplit(url)
    given = getproxies()
    named = next((scheme for scheme in (parts.scheme, "all") if given.get(scheme)), None)
    if named is None or _is_exempt(parts.hostname or "", parts.netloc.rpartition("@")[2], given.get("no", "")):
        return None
    address = given[named]
    # As other programs read it: an address without a scheme is one of an HTTP proxy.
    return Proxy(address if "://" in address else f"http://{address}", _variable(named))


def is_host_name(host: str) -> bool:
    """Whether a host can be looked up: labels of 1 to 63 characters, 253 in all.

    :param host: a name or an address, without a port.

    https://datatracker.ietf.org/doc/html/rfc1035#section-2.3.4
    """
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(1 <= len(_as_sent(label)) <= 63 for label in labels)


def _as_sent(label: str) -> str:
    try:
        return label.encode("idna").decode("ascii")
    except UnicodeError:
        return label if label.isascii() else ""


def _is_exempt(host: str, host_and_port: str, exempt: str) -> bool:
    networks = (each.strip() for each in exempt.split(",") if "/" in each)
    return bool(proxy_bypass(host_and_port)) or any(_lies_in(host, network) for network in networks)


def _lies_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "the machine's proxy settings")
