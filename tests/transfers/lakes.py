"""A bucket of the tests' own on a simulated S3, and the Airflow connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3

from tests.processes import moto_server


class Lake(NamedTuple):
    """The bucket ``lake``.

    :param client: boto3's.
    :param options: of a reader outside Airflow, as the ``deltalake`` package takes them.
    :param connection_json: an Airflow connection of the type ``aws``.
    """

    client: Any
    options: dict[str, str]
    connection_json: str


@contextmanager
def running() -> Iterator[Lake]:
    """Serve it as long as the ``with`` block lasts."""
    # In a process of its own: deltalake 1.5 holds Python's lock while it waits for an answer.
    with moto_server() as url:
        yield _lake(url)


def _lake(url: str) -> Lake:
    region, login, password = "us-east-1", "test-key", "test-secret"
    extra = {"endpoint_url": url, "region_name": region}
    connection = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
    client = boto3.client("s3", **extra, aws_access_key_id=login, aws_secret_access_key=password)
    client.create_bucket(Bucket="lake")
    options = {"AWS_ACCESS_KEY_ID": login, "AWS_SECRET_ACCESS_KEY": password, "AWS_REGION": region}
    return Lake(client, options | {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}, json.dumps(connection))
