"""1,000,000 rows to S3: flat memory, every row, and nothing left of an extract that fails. ``-s`` prints the figures."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key
from tests.benchmarks import pages
from tests.benchmarks.page_routes import Answer, Routes
from tests.benchmarks.page_server import Connection
from tests.hooks import extract_large
from tests.repository import REPOSITORY

PAGES, BROKEN = 10, 6
#: Beside what an imported Airflow takes, the modules of Arrow and of the S3 client (about 85 MB) included.
LIMIT = 300_000_000  # 227 MB on a quiet machine; a busy one keeps more pages waiting for their upload
_KEYS = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret", "region_name": "us-east-1"}
#: What is the same in every row, column by column; an id and 120 characters without a pattern come to it.
_VALUES = {
    "id": "%s", "textarea": "%s, «twice»;\nsaid \"\"so\"\"", "picklist": "Energy", "currency": "1234567.89", "percent": "12.50",
    "int": "4711", "double": "0.123456", "boolean": "true", "date": "2026-11-20", "datetime": "2026-11-20T10:20:30.456Z",
    "reference": "0055e0000000001AAA", "string": "東京 & Zürich, \"\"Inc.\"\"",
}  # fmt: skip


def ids(page: int) -> list[str]:
    """The ids of a page, in order."""
    return [f"001{number:012d}AAA" for number in range(page * pages.PAGE_ROWS, (page + 1) * pages.PAGE_ROWS)]


@lru_cache(maxsize=4)
def csv_page(page: int) -> bytes:
    """A page of 100,000 rows whose text no compression makes smaller than a block of an upload."""
    text = base64.b64encode(random.Random(page).randbytes(90 * pages.PAGE_ROWS)).decode()
    row = ",".join(f'"{_VALUES[kind]}"' for _, kind, _, _ in pages.COLUMNS) + "\n"
    rows = (row % (each, text[120 * place : 120 * place + 120]) for place, each in enumerate(ids(page)))
    return (",".join(f'"{name}"' for name in pages.NAMES) + "\n" + "".join(rows)).encode()


class LargePages(Routes):
    """Answers as Salesforce does, with pages made when they are asked for.

    :param folder: unused; the files of the benchmarks are not needed here.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder)
        self.settings.page_count = PAGES
        self.broken: int | None = None

    def _result(self, page: int) -> Answer:
        following = page + 1
        headers = {
            "Sforce-NumberOfRecords": str(pages.PAGE_ROWS),
            "Sforce-Locator": f"bench-{following}" if following < PAGES else "null",
        }
        # Cut within its last value, so that it breaks off when most of it has been uploaded.
        content = csv_page(page)[:-5] if page == self.broken else csv_page(page)
        return Answer(content, content_type="text/csv;charset=UTF-8", headers=headers)


@pytest.fixture(scope="module")
def salesforce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LargePages, str]]:
    """The pages, and the address where they are served from this process."""
    routes = LargePages(tmp_path_factory.mktemp("unused"))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:
                    return  # the test is over
                threading.Thread(target=serve, args=(link,), daemon=True).start()

        def serve(link: socket.socket) -> None:
            try:
                Connection(link, "http", routes).serve()
            except OSError:
                link.close()  # the other end went away, as is its right

        threading.Thread(target=accept, daemon=True).start()
        yield routes, f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[Any, str]]:
    """A client and the address of moto in a process of its own, with an empty bucket."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    moto = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert moto.poll() is None
            assert time.monotonic() < deadline, "moto does not answer"
            time.sleep(0.05)
    client = boto3.client("s3", endpoint_url=url, **_KEYS)
    client.create_bucket(Bucket="lake")
    yield client, url
    moto.terminate()
    moto.wait(30)


def extracted(salesforce_url: str, s3_url: str, prefix: str, folder: Path) -> dict[str, Any]:
    """Extract in a fresh process, and say how that went."""
    key_file = folder / "key.pem"
    key_file.touch(mode=0o600)
    key_file.write_text(shared_private_key(), encoding="ascii")
    salesforce = {
        "conn_type": "salesforce_jwt",
        "login": "somebody@example.com",
        "host": salesforce_url,
        "extra": {"consumer_key": "large", "key_file": str(key_file)},
    }
    extra = {"endpoint_url": s3_url, "region_name": "us-east-1"}
    aws = {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    environment = outside | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": json.dumps(salesforce),
        "AIRFLOW_CONN_S3": json.dumps(aws),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS": "2",
        "AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY": "0.01",
        "PYTHONPATH": str(REPOSITORY),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    command = [sys.executable, "-m", extract_large.__name__, f"s3://s3@lake/{prefix}"]
    began = time.monotonic()
    run = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    said: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    said["seconds"] = time.monotonic() - began
    return said


def names(client: Any, prefix: str) -> list[str]:
    listed = client.list_objects_v2(Bucket="lake", Prefix=f"{prefix}/").get("Contents", [])
    return [entry["Key"].removeprefix(f"{prefix}/") for entry in listed]


def test_all_rows_in_flat_memory(salesforce: tuple[LargePages, str], s3: tuple[Any, str], tmp_path: Path) -> None:
    client, s3_url = s3
    said = extracted(salesforce[1], s3_url, "large", tmp_path)
    print(
        f"\n{said['records']:,} rows x {len(pages.COLUMNS)} columns to S3 as Parquet ({said['bytes'] / 1e6:.0f} MB): "
        f"{said['above'] / 1e6:.0f} MB above an imported Airflow of {said['imported'] / 1e6:.0f} MB, {said['seconds']:.1f} s"
    )
    assert said["records"] == PAGES * pages.PAGE_ROWS
    assert said["above"] <= LIMIT
    receipt = json.loads(client.get_object(Bucket="lake", Key="large/_receipt.json")["Body"].read())
    assert names(client, "large") == ["_receipt.json", *(part["name"] for part in receipt["parts"])]
    assert not client.list_multipart_uploads(Bucket="lake").get("Uploads")
    for page, part in enumerate(receipt["parts"]):
        assert part["bytes"] > 8 * 2**20  # so that each part was an upload of several pieces
        content = client.get_object(Bucket="lake", Key=f"large/{part['name']}")["Body"].read()
        found = pq.read_table(io.BytesIO(content), columns=["Id"])["Id"]
        assert found.combine_chunks().equals(pa.array(ids(page)))


def test_a_failing_page_leaves_no_object_and_no_upload(
    salesforce: tuple[LargePages, str], s3: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes, url = salesforce
    monkeypatch.setattr(routes, "broken", BROKEN)
    said = extracted(url, s3[1], "broken", tmp_path)
    assert said["error"] == "TransportError: a result page ends in the middle of a quoted value: it is not whole"
    assert names(s3[0], "broken") == []
    assert not s3[0].list_multipart_uploads(Bucket="lake").get("Uploads")
