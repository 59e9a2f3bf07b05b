from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from tests.backends import documented


@dataclass(frozen=True)
class Vault:
    """AWS Secrets Manager as the processes reach it.

    :param client: of boto3.
    :param env: the variables with which Airflow's backend finds it.
    """

    client: Any
    env: dict[str, str]

    def store(self, conn_id: str, secret: str) -> None:
        """Keep a connection's secret, under the name that the documented settings look for."""
        self.client.create_secret(Name=f"airflow/connections/{conn_id}", SecretString=secret)


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    """An empty AWS Secrets Manager."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url, region = f"http://{host}:{port}", "eu-central-1"
    keys = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret"}
    client = boto3.client("secretsmanager", endpoint_url=url, region_name=region, **keys)
    env = {"AWS_ENDPOINT_URL": url, **{name.upper(): value for name, value in keys.items()}}
    try:
        yield Vault(client, env | documented.settings("settings: aws secrets manager json"))
    finally:
        server.stop()
