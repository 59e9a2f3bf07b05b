"""Who an org is: its ids, its one user, its one connected app, and where it is reached."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from airflow_provider_sfjwt.testing.data.record_ids import record_id

USERNAME = "integration.user@sfjwt.example.com"
CONSUMER_KEY = "3MVG9" + "SimulatedOrg0123456789" * 3 + "ConsumerKey"


def consumer_key_at(port: int) -> str:
    """The key of an org's app: always the same at a given port, so that an org that starts again is the same one.

    At a free port it is new. A later org may get the port of an earlier one, and must not be asked with its tokens.

    :param port: that was asked for; 0: any free one.
    """
    return CONSUMER_KEY if port else "3MVG9" + secrets.token_hex(40)


@dataclass(frozen=True)
class Identity:
    """What never changes about an org.

    :param private_key: RSA key of the app, unencrypted PEM.
    :param sandbox: whether assertions must name ``https://test.salesforce.com`` as their audience.
    :param sites: paths of Experience Cloud sites.
    :param api_versions: that the org speaks, oldest first.
    :param consumer_secret: for introspection.
    """

    private_key: str = field(repr=False)
    sandbox: bool
    sites: tuple[str, ...]
    api_versions: tuple[str, ...]
    consumer_key: str
    username: str = USERNAME
    consumer_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    org_id: str = record_id("00D", 1)
    user_id: str = record_id("005", 1)

    @property
    def login_url(self) -> str:
        """The audience that every assertion may name."""
        return "https://test.salesforce.com" if self.sandbox else "https://login.salesforce.com"


@dataclass
class Address:
    """Where the org is reached; the port is known once it serves.

    :param scheme: ``http`` or ``https``.
    :param port: on 127.0.0.1; 0: any free one, until the server has it.
    """

    scheme: str
    port: int

    @property
    def url(self) -> str:
        """The instance URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def urls(self) -> tuple[str, str]:
        """Every URL of the org, the instance URL first."""
        return self.url, f"{self.scheme}://localhost:{self.port}"
