from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.tables.conftest import database, postgres, postgres_port  # noqa: F401  # fixtures
from tests.transfers import lakes


@pytest.fixture(scope="session")
def lake() -> Iterator[Any]:
    """The client of a bucket named ``lake``, which the connection ``aws_lake`` reaches.

    One for all tests: Airflow keeps the file system of a connection for as long as the process lives.
    """
    with lakes.running() as bucket, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_AWS_LAKE", bucket.connection_json)
        yield bucket.client


@pytest.fixture(params=["file", "s3"])
def table_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A Delta table that is not there yet, on local files and on S3."""
    if request.param == "s3":
        request.getfixturevalue("lake")
        return f"s3://aws_lake@lake/tables/{uuid4().hex}"
    return f"file://{tmp_path}/table"


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    """An org whose 30 accounts come in result pages of 12."""
    with SimulatedOrg(records={"Account": 30}, bulk_page_size=12, bulk_polls=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running
