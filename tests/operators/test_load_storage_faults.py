"""Disks that are full: while rows are staged nothing is sent; while results are written a retry writes them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.load_task import counted, define_items, in_org, items, report_in, results_in
from tests.repository import REPOSITORY

WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


def may_mount() -> bool:
    """Whether this machine lets us have a small file system that nobody else sees, which needs no root on most."""
    mount = "mount -t tmpfs -o size=1m tmpfs /tmp"
    command = [*UNSHARE, "sh", "-c", mount]
    return bool(shutil.which("unshare")) and not subprocess.run(command, capture_output=True, check=False).returncode


UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
#: A file that may not grow ("File too large"), and a file system that is full ("No space left on device").
LIMITS = ["file", "disk"] if may_mount() else ["file"]
#: Bytes of a file; a disk has twice as many. A row has about 117, and 160 among the results.
SMALL = 64 * 1024

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as running:
        define_items(running)
        yield running


@pytest.fixture
def run(org: SimulatedOrg, tmp_path: Path) -> Run:
    """Runs a try in a process of its own; ``limit`` is what its temporary folder, or ``where``, suffers from."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def once(rows: int, limit: str = "", where: Path = temporary, **arguments: Any) -> dict[str, Any]:
        said = {"rows": rows, "arguments": arguments, "store": str(tmp_path / "store.json")}
        command = [sys.executable, "-m", "tests.operators.load_in_child"]
        if limit == "file":
            said["file_limit"] = SMALL
        if limit == "disk":
            said |= {"small": str(where), "small_bytes": 2 * SMALL}
            command = [*UNSHARE, *command]
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        environment = outside | {
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0",
            "TMPDIR": str(temporary),
            "PYTHONDONTWRITEBYTECODE": "1",  # which would be cut by the limit
        }
        child = subprocess.run(
            [*command, json.dumps(said)],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert child.returncode == 0, child.stderr[-3000:]
        outcome: dict[str, Any] = json.loads(child.stdout.strip().splitlines()[-1])
        return outcome

    return once


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("beyond", "group_by"),
    [("by far", None), ("by a buffer", None), ("by far", "Text__c"), ("by a buffer", "Text__c")],
    ids=["while it is written", "when it is closed", "grouped", "grouped, again when it is closed"],
)
def test_a_full_disk_while_rows_are_staged(
    org: SimulatedOrg, run: Run, tmp_path: Path, beyond: str, group_by: str | None, limit: str
) -> None:
    rows = 2_000 if beyond == "by far" else {"file": 600, "disk": 1_100}[limit]
    arguments = {"part_bytes": 24 * 2**20, "group_by": group_by}
    outcome = run(rows, limit, **arguments)
    assert outcome["error"] == "SalesforceError"
    assert outcome["retryable"] is True
    assert f"writing to {tmp_path}/temporary" in outcome["message"]
    assert "(the worker's disk for temporary files, see TMPDIR) failed: " in outcome["message"]
    assert {"file": "File too large", "disk": "No space left on device"}[limit] in outcome["message"]
    assert "Check space and permissions there." in outcome["message"]
    assert outcome["left"] == []
    assert org.jobs == {}
    assert [request.path for request in org.requests if request.method in ("PUT", "PATCH")] == []
    assert org.rows("Item__c") == []


if "disk" in LIMITS:

    def test_a_full_disk_while_rows_are_staged_that_are_sent_again(org: SimulatedOrg, run: Run, tmp_path: Path) -> None:
        """The disk takes the part, and not once more the rows of it that met a lock."""
        org.lock_records("Item__c", times=1)
        outcome = run(600, "disk", part_bytes=24 * 2**20)
        assert (outcome["error"], outcome["retryable"]) == ("SalesforceError", True)
        assert f"writing to {tmp_path}/temporary" in outcome["message"]
        assert "No space left on device" in outcome["message"]
        assert outcome["left"] == []
        assert run(600, part_bytes=24 * 2**20)["counts"]["succeeded"] == 600
        assert in_org(org) == counted(items(600))


@WAYS
@pytest.mark.parametrize("limit", LIMITS)
def test_a_full_disk_while_results_are_written(
    org: SimulatedOrg, run: Run, tmp_path: Path, limit: str, deferrable: bool
) -> None:
    """The rows are in Salesforce by then: the retry doubles none, and tells what became of each."""
    results, rows = tmp_path / "results", 1_800
    results.mkdir()
    # Each part fits into its limit, and its results, which have more columns, do not; nor do those of two onto the disk.
    arguments = {"results_path": f"file://{results}", "deferrable": deferrable, "part_bytes": SMALL - 8_000}
    outcome = run(rows, limit, where=results, **arguments)
    assert (outcome["error"], outcome["retryable"]) == ("SalesforceError", True)
    assert f"writing to file://{results} (results_path) failed: " in outcome["message"]
    assert "Salesforce keeps the rows that it has accepted" in outcome["message"]
    assert outcome["left"] == []
    assert "_receipt.json" not in outcome["results"]
    whole = [size for size in outcome["results"].values() if size > SMALL]
    assert len(whole) == len(outcome["results"]) == (1 if limit == "disk" else 0)
    assert in_org(org) == counted(items(rows))
    jobs = len(org.jobs)
    assert run(rows, **arguments)["counts"]["succeeded"] == rows
    assert in_org(org) == counted(items(rows))
    assert len(org.jobs) == jobs
    ids = {row["Key__c"]: row["Id"] for row in org.rows("Item__c")}
    assert {row["Key__c"]: row["sf__Id"] for row in results_in(results, "succeeded")} == ids
    names = {path.name for path in results.iterdir()}
    assert names == {"_receipt.json", *(part["name"] for part in report_in(results)["parts"])}
