"""How connections are made: one set of rules that both transports keep, so that a worker and the triggerer agree."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from airflow_provider_sfjwt.exceptions import ConfigurationError

#: Salesforce lets a SOQL query run for 120 seconds, so an answer may take that long to begin.
DEFAULT_TIMEOUT = 150.0
#: A host that is there accepts a connection within seconds.
CONNECT_TIMEOUT = 20.0
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Limits:
    """What a server may cost whoever asks it: the size of what it sends, and the time until it has sent it.

    :param answer_bytes: of an answer that is held in memory, unpacked.
    :param record_bytes: of one record of a result that is written to a file.
    :param answer_seconds: until an answer that is held in memory is whole, counted from its request.
    :param least_rate: bytes in a second below which a download is too slow.
    :param slow_seconds: of waiting for bytes after which a download's rate is judged, again and again.
    :param turn_seconds: for which a request in an event loop keeps others waiting, when many are on their way.
    """

    answer_bytes: int = 128 * 2**20
    record_bytes: int = 16 * 2**20
    answer_seconds: float = 600.0
    least_rate: float = 1000.0
    slow_seconds: float = 60.0
    turn_seconds: float = 15.0


#: Bytes of an answer that reports an error. What follows is not read: an error of Salesforce has some hundred bytes.
LARGEST_ERROR = 2**20


@dataclass(frozen=True)
class TransportSettings:
    """What a connection's form says about the transport.

    :param timeout: seconds without a byte after which an answer is given up.
    :param ca_bundle: path of a PEM file of trusted certificate authorities; None means ``REQUESTS_CA_BUNDLE``,
        ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE`` from the environment, else the certifi bundle.
    :param proxy: URL of the proxy for every request; None means ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``
        from the environment. Not shown in a ``repr``: it may hold a password.
    :param user_agent: what is sent as ``User-Agent``.
    :param limits: what a server may cost.
    """

    timeout: float = DEFAULT_TIMEOUT
    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)
    user_agent: str = "airflow-provider-sfjwt"
    limits: Limits = Limits()

    @property
    def connect_timeout(self) -> float:
        """Seconds until a connection attempt is given up."""
        return min(self.timeout, CONNECT_TIMEOUT)

    @property
    def answer_seconds(self) -> float:
        """Seconds until an answer that is held in memory must be whole: at least as long as one may take to begin."""
        return max(self.limits.answer_seconds, self.timeout)

    @property
    def trust_store(self) -> str:
        """Path of the PEM file of trusted certificate authorities."""
        import certifi

        named = (os.environ.get(name) for name in _VARIABLES)
        return self.ca_bundle or next(filter(None, named), None) or certifi.where()

    def check_trust_store(self) -> None:
        """Read the trusted authorities once, so that a file that holds none is reported before anything is sent.

        :raises ConfigurationError: when it holds none.
        """
        tls_context(self.trust_store)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"User-Agent": self.user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}


@lru_cache(maxsize=8)
def tls_context(trust_store: str) -> ssl.SSLContext:
    """A TLS context, shared: reading the authorities takes about 20 ms, too long for an event loop to pay each time.

    :param trust_store: path of the PEM file, or of an OpenSSL folder, of trusted certificate authorities.
    :return: a context that verifies certificate and host name.
    :raises ConfigurationError: when it holds none.
    """
    try:
        if Path(trust_store).is_dir():  # which requests takes in REQUESTS_CA_BUNDLE, too
            return ssl.create_default_context(capath=trust_store)
        return ssl.create_default_context(cafile=trust_store)
    except OSError as error:
        raise ConfigurationError(
            {
                "CA bundle": f"{trust_store} cannot be read here as a PEM file of certificate authorities "
                f"({error.strerror}). The path comes from this field, else from {', '.join(_VARIABLES)}"
            }
        ) from None
