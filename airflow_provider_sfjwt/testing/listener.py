"""An org's place on the network: its server, and the files with which it serves https."""

from __future__ import annotations

import ssl
import tempfile
import threading
from pathlib import Path

from airflow_provider_sfjwt.testing.http.gateway import Gateway
from airflow_provider_sfjwt.testing.http.server import Server
from airflow_provider_sfjwt.testing.identity import Address
from airflow_provider_sfjwt.testing.oauth.certificates import write_tls_files


class _TlsFiles:
    """A certificate authority made for one org, and the certificate with which the org serves; removed with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-org-")
        authority, served = write_tls_files(Path(self._folder.name))
        self.served = str(served)
        self.ca_bundle = str(authority)

    def context(self) -> ssl.SSLContext:
        """Return what a server wraps its connections with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.served)
        return context

    def remove(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


class Listener:
    """Starts and stops the server of an org.

    :param address: where to serve; it gets the port that the first server found.
    :param gateway: answers the requests.
    """

    def __init__(self, address: Address, gateway: Gateway) -> None:
        self._address = address
        self._gateway = gateway
        self._server: Server | None = None
        self._tls: _TlsFiles | None = None

    @property
    def ca_bundle(self) -> str | None:
        """Path of the authority's certificate; None where the org serves http, or has not served yet."""
        return self._tls.ca_bundle if self._tls is not None else None

    @property
    def served(self) -> str | None:
        """Path of the certificate and its key; None where the org serves http, or has not served yet."""
        return self._tls.served if self._tls is not None else None

    def start(self) -> None:
        """Begin to serve; after a stop, again on the same port.

        :raises RuntimeError: where it serves already.
        """
        if self._server is not None:
            raise RuntimeError("the org is running already")
        context = None
        if self._address.scheme == "https":
            self._tls = self._tls or _TlsFiles()
            context = self._tls.context()
        self._server = Server(self._address.port, self._gateway, context)
        self._address.port = self._server.server_port
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), name="simulated-org", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and drop open connections."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def close(self) -> None:
        """Stop for good and remove temporary files."""
        self.stop()
        if self._tls is not None:
            self._tls.remove()
