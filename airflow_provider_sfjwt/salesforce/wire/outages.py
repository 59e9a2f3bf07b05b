"""Why no whole answer came back, and what to check: one table for both transports.

The libraries wrap an error several times, and their own texts repeat URLs, headers and a proxy's password. So the
innermost error is judged by its type, and of texts only those of the system, of OpenSSL and of a proxy are shown.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import zlib
from typing import NamedTuple
from urllib.parse import urlsplit

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire.flow import Request
from airflow_provider_sfjwt.salesforce.wire.pace import SlowAnswerError
from airflow_provider_sfjwt.salesforce.wire.proxies import Proxy, is_host_name, proxy_for
from airflow_provider_sfjwt.salesforce.wire.received import PackingError, TooLargeError
from airflow_provider_sfjwt.salesforce.wire.redact import describe_request, host_of, shortened
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings


class Outage(NamedTuple):
    """One kind of failure.

    :param code: its short name.
    :param cause: what happened, in one clause; ``{host}`` is who did not answer.
    :param remedy: what to check.
    :param retryable: whether waiting can help.
    """

    code: str
    cause: str
    remedy: str
    retryable: bool = True


UNKNOWN_HOST = Outage(
    "unknown_host", "the name {host} is not known to this machine's DNS", "Check Login URL, and Proxy."
)
REFUSED = Outage("refused", "{host} refuses the connection", "Check Login URL, Port and Proxy.")
UNREACHABLE = Outage(
    "unreachable",
    "{host} cannot be reached from this machine's network",
    "Check Login URL and Proxy, and the network of the machine where this runs.",
)
TIMED_OUT = Outage(
    "timeout", "{host} does not answer in time", "Have the firewall opened to it, or set Proxy; check Login URL too."
)
PROXY_REFUSED = Outage(
    "proxy_refused",
    "the proxy {proxy} lets nobody through to {host}",
    "Check the proxy in {source}, and the user and password of its address.",
)
UNUSABLE_PROXY = Outage("unusable_proxy", "{source} names {fault}", "Name an http:// proxy, or none.", retryable=False)
NO_TLS = Outage("no_tls", "{host} does not speak TLS", "Check Login URL, Port and Proxy.")
BROKEN_TLS = Outage("broken_tls", "the TLS connection to {host} failed", "Check Login URL and Proxy.")
BROKEN = Outage(
    "broken",
    "the connection to {host} broke",
    "Check Login URL and Proxy, and the network of the machine where this runs.",
)
TOO_SLOW = Outage(
    "too_slow",
    "{host} sends its answer too slowly",
    "Check Proxy and the network of the machine where this runs; what an answer may take is max_answer_seconds in the "
    "section [salesforce_jwt] of Airflow's configuration.",
)
TOO_LARGE = Outage(
    "too_large",
    "{host} sends more than an answer may hold",
    "Ask for less at once, or raise max_answer_bytes in the section [salesforce_jwt] of Airflow's configuration.",
    retryable=False,
)
DAMAGED = Outage("broken", "the answer of {host} cannot be unpacked", "Check Proxy, which may change answers.")
UNSENDABLE = Outage(
    "unsendable",
    "the request cannot be sent: its address or a header is malformed",
    "Check Login URL and Proxy.",
    retryable=False,
)

_NAME_THE_AUTHORITY = (
    "If a proxy of your company opens TLS, name the PEM file of its authority in CA bundle; else check Login URL."
)
_UNKNOWN_AUTHORITY = Outage(
    "certificate_untrusted",
    "{host} shows a TLS certificate of an authority that is not trusted here",
    _NAME_THE_AUTHORITY,
    retryable=False,
)
_SELF_SIGNED = _UNKNOWN_AUTHORITY._replace(
    code="certificate_self_signed", cause="{host} shows a self-signed TLS certificate that is not trusted here"
)
_OTHER_HOST = Outage(
    "certificate_other_host",
    "{host} shows a TLS certificate that is made out to another host name",
    "Check Login URL; if it is right, another server answers in its place: check Proxy and DNS.",
    retryable=False,
)
#: What OpenSSL finds wrong with a certificate, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CERTIFICATES = {
    9: Outage(
        "certificate_not_yet_valid",
        "{host} shows a TLS certificate that is not valid yet",
        "Set the clock of the machine where this runs by NTP; if it is right, the certificate's owner must replace it.",
        retryable=False,
    ),
    10: Outage(
        "certificate_expired",
        "{host} shows a TLS certificate that has expired",
        "Its owner must renew it: your company's network team where a proxy opens TLS. If the clock of the machine "
        "where this runs is wrong, set it by NTP.",
        retryable=False,
    ),
    18: _SELF_SIGNED,
    19: _SELF_SIGNED,
    2: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
#: Rules of RFC 5280 that Python 3.13 and newer insist on, https://docs.python.org/3/library/ssl.html#ssl.VERIFY_X509_STRICT
_STRICT_RULES = range(79, 95)
_AGAINST_A_RULE = Outage(
    "certificate_against_a_rule",
    "{host} shows a TLS certificate that breaks a rule which Python 3.13 and newer insist on",
    "Have the authority of your company's proxy make its certificates anew with what is missing.",
    retryable=False,
)
_UNACCEPTABLE = Outage(
    "certificate_unacceptable",
    "{host} shows a TLS certificate that is not acceptable here",
    "Its owner must replace it; check Login URL and Proxy.",
    retryable=False,
)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST")
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
#: What is wrong by the type of the error alone. Their texts repeat nothing of an answer and may be shown.
_BY_TYPE: dict[type[BaseException], Outage] = {
    SlowAnswerError: TOO_SLOW,
    TooLargeError: TOO_LARGE,
    PackingError: DAMAGED,
    zlib.error: DAMAGED,
}
_ABOUT_THE_PROXY = (UNKNOWN_HOST, REFUSED, UNREACHABLE, TIMED_OUT)


def transport_error(
    request: Request,
    error: BaseException,
    settings: TransportSettings,
    *,
    request_was_sent: bool,
    known: Outage | None = None,
) -> TransportError:
    """Say why a request failed.

    :param request: what could not be sent, or has no whole answer.
    :param error: what the library raised.
    :param settings: how connections are made.
    :param request_was_sent: whether Salesforce may have seen the request.
    :param known: the kind of failure, where the library's own type shows it; None to judge the innermost error.
    """
    cause = root_cause(error)
    outage = _BY_TYPE.get(type(cause)) or _certificate(cause) or known or _judge(cause)
    said = _in_words(error, cause, outage)
    proxy = proxy_for(request.url, settings.proxy)
    host = host_of(request.url)
    if proxy is not None and outage in _ABOUT_THE_PROXY and not request_was_sent:
        remedy = f"Check the proxy in {_place(proxy)}."
        return _error(request, outage._replace(remedy=remedy), said, f"{proxy.host}, the proxy in {_place(proxy)},",
                      host=proxy.host, request_was_sent=False)  # fmt: skip
    facts = {"proxy": proxy.host, "source": _place(proxy)} if proxy is not None else {}
    return _error(request, outage, said, host, host=host, request_was_sent=request_was_sent, **facts)


def usable_proxy(request: Request, settings: TransportSettings, socks_library: str) -> Proxy | None:
    """Choose the proxy for a request, and see that it can be sent at all.

    :param request: what is sent.
    :param settings: how connections are made.
    :param socks_library: the package with which the transport speaks to SOCKS proxies.
    :return: None where the request goes directly.
    :raises TransportError: for a host that no name service knows how to look up, or an address of a proxy that cannot
        be used: the libraries have an error of their own for each, and some let it pass unwrapped.
    """
    if not is_host_name(urlsplit(request.url).hostname or ""):
        raise _error(request, UNSENDABLE, "", "", host=host_of(request.url), request_was_sent=False)
    proxy = proxy_for(request.url, settings.proxy)
    fault = proxy.fault(socks_library) if proxy is not None else ""
    if proxy is not None and fault:
        facts = {"source": _place(proxy), "fault": f"{proxy.host}, {fault}"}
        raise _error(request, UNUSABLE_PROXY, "", "", host=proxy.host, request_was_sent=False, **facts)
    return proxy


def root_cause(error: BaseException) -> BaseException:
    """The innermost error: what the libraries wrap around it repeats URLs, and a proxy's URL may hold a password.

    :param error: what a library raised.
    """
    # A host of several addresses fails as a group of errors.
    group = getattr(error, "exceptions", ())
    nested = (getattr(error, "reason", None), *error.args, *group, error.__cause__, error.__context__)
    inner = next((each for each in nested if isinstance(each, BaseException) and each is not error), None)
    return error if inner is None else root_cause(inner)


def is_untrusted(error: BaseException) -> bool:
    """Whether a server's certificate was refused, before anything was sent.

    :param error: what a library raised.
    """
    return isinstance(root_cause(error), ssl.SSLCertVerificationError)


def _judge(cause: BaseException) -> Outage:
    if isinstance(cause, socket.gaierror):
        return UNKNOWN_HOST
    if isinstance(cause, ConnectionRefusedError):
        return REFUSED
    if isinstance(cause, TimeoutError):
        return TIMED_OUT
    if isinstance(cause, ssl.SSLError):
        return NO_TLS if cause.reason in _NOT_TLS else BROKEN_TLS
    return UNREACHABLE if isinstance(cause, OSError) and cause.errno in _NO_WAY else BROKEN


def _certificate(cause: BaseException) -> Outage | None:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    against_a_rule = _AGAINST_A_RULE if cause.verify_code in _STRICT_RULES else _UNACCEPTABLE
    return _CERTIFICATES.get(cause.verify_code, against_a_rule)


def _in_words(error: BaseException, cause: BaseException, outage: Outage) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if outage in (TIMED_OUT, UNSENDABLE):
        return ""
    if outage is PROXY_REFUSED or type(cause) in _BY_TYPE:
        return shortened(str(cause))  # the proxy chooses the words
    if isinstance(cause, (socket.gaierror, ssl.SSLError)):
        return cause.strerror or ""
    # The system's own words: what a library puts in their place differs from one to the other.
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else type(error).__name__


def _place(proxy: Proxy) -> str:
    return "field Proxy" if proxy.source == "Proxy" else f"{proxy.source} of the environment"


def _error(
    request: Request,
    outage: Outage,
    said: str,
    who: str,
    *,
    host: str,
    request_was_sent: bool,
    **facts: str,
) -> TransportError:
    cause = outage.cause.format(host=who, **facts)
    cause = f"{cause[0].upper()}{cause[1:]}" if outage.cause[0].islower() else cause
    return TransportError(
        f"{cause} ({': '.join(filter(None, (describe_request(request), said)))})",
        request_was_sent=request_was_sent,
        code=outage.code,
        cause=cause,
        host=host,
        said=said,
        remedy=outage.remedy.format(**facts),
        retryable=outage.retryable,
    )
