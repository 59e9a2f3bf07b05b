"""Plain HTTP clients of the simulated org: these tests share no code with the package's own client."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from airflow_provider_sfjwt.testing import SimulatedOrg

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Client:
    """A signed-in client with ``requests``."""

    def __init__(self, org: SimulatedOrg, version: str = "66.0") -> None:
        self.org = org
        self.version = version
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {org.issue_session()}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call a path below /services/data/vXX.0, or an absolute one."""
        start = "" if path.startswith("/services") else f"/services/data/v{self.version}/"
        return self.session.request(method, self.org.url + start + path, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def query(self, soql: str, resource: str = "query", **options: Any) -> requests.Response:
        return self.get(resource, params={"q": soql}, **options)

    def records(self, soql: str, resource: str = "query") -> list[dict[str, Any]]:
        """Return the records of a query that must fit one page."""
        answer = self.query(soql, resource)
        assert answer.status_code == 200, answer.text
        assert answer.json()["done"]
        return list(answer.json()["records"])

    def create_job(self, soql: str, **job: Any) -> requests.Response:
        return self.call("POST", "jobs/query", json={"operation": "query", "query": soql} | job)

    def create_load(self, sobject: str, operation: str, **settings: Any) -> requests.Response:
        return self.call("POST", "jobs/ingest", json={"object": sobject, "operation": operation} | settings)

    def upload(self, job_id: str, data: str | bytes, **headers: str) -> requests.Response:
        body = data.encode() if isinstance(data, str) else data
        return self.call(
            "PUT", f"jobs/ingest/{job_id}/batches", data=body, headers={"Content-Type": "text/csv"} | headers
        )

    def set_state(self, job_id: str, state: str) -> requests.Response:
        return self.call("PATCH", f"jobs/ingest/{job_id}", json={"state": state})

    def queued_load(self, sobject: str, operation: str, data: str | bytes, **settings: Any) -> str:
        """Create a load, upload its data, close it and return its id."""
        created = self.create_load(sobject, operation, **settings)
        assert created.status_code == 200, created.text
        job_id = str(created.json()["id"])
        assert (self.upload(job_id, data).status_code, self.set_state(job_id, "UploadComplete").status_code) == (
            201,
            200,
        )
        return job_id

    def load(self, sobject: str, operation: str, data: str | bytes, **settings: Any) -> dict[str, Any]:
        """Load data and return the job's information when it has ended."""
        job_id = self.queued_load(sobject, operation, data, **settings)
        while (info := self.get(f"jobs/ingest/{job_id}").json())["state"] in ("UploadComplete", "InProgress"):
            continue
        return dict(info)

    def result_rows(self, job: dict[str, Any], which: str) -> list[dict[str, str]]:
        """Return the rows of one of a load's result sets."""
        answer = self.get(f"jobs/ingest/{job['id']}/{which}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=UTF-8"), answer.text
        return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))

    def refusals(self, sobject: str, operation: str, data: str | bytes, **settings: Any) -> list[str]:
        """Load data and return the errors of the rows that were refused."""
        job = self.load(sobject, operation, data, **settings)
        assert job["state"] == "JobComplete", job
        return [row["sf__Error"] for row in self.result_rows(job, "failedResults")]

    def finished_job(self, soql: str, **job: Any) -> str:
        """Create a query job, poll it to its end and return its id."""
        answer = self.create_job(soql, **job)
        assert answer.status_code == 200, answer.text
        job_id = str(answer.json()["id"])
        while self.get(f"jobs/query/{job_id}").json()["state"] in ("UploadComplete", "InProgress"):
            continue
        return job_id


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg() as running:
        yield running


@pytest.fixture
def api(org: SimulatedOrg) -> Client:
    return Client(org)


@pytest.fixture
def client_of() -> Callable[..., Client]:
    return Client


@pytest.fixture
def claims(org: SimulatedOrg) -> dict[str, Any]:
    return {
        "iss": org.consumer_key,
        "sub": org.username,
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }


@pytest.fixture
def exchange(org: SimulatedOrg) -> Callable[..., requests.Response]:
    """Sign claims and ask for a token."""

    def ask(claims: dict[str, Any], key: str | None = None, path: str = "", algorithm: str = "RS256") -> Any:
        assertion = jwt.encode(claims, key or org.private_key, algorithm=algorithm)
        form = {"grant_type": GRANT, "assertion": assertion}
        return requests.post(f"{org.url}{path}/services/oauth2/token", data=form, timeout=30)

    return ask


def error_of(answer: requests.Response) -> tuple[int, str]:
    """Return status and errorCode of a refused data call."""
    return answer.status_code, answer.json()[0]["errorCode"]


@pytest.fixture
def refusal() -> Callable[[requests.Response], tuple[int, str]]:
    return error_of


def absent(what: str) -> None:
    """Skip for want of something, or fail where the run may not skip (``SFJWT_NO_SKIP=1``)."""
    if os.environ.get("SFJWT_NO_SKIP") == "1":
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


@pytest.fixture
def recording() -> Callable[[str], str]:
    """Read an answer of a real org; they lie beside the checkout, where at all."""

    def read(name: str) -> str:
        folder = os.environ.get("SFJWT_RECORDINGS")
        if not folder:
            pytest.skip("SFJWT_RECORDINGS names no folder of recorded answers")
        return (Path(folder) / name).read_text(encoding="utf-8")

    return read


@pytest.fixture
def node() -> str:
    """Path of a Node."""
    found = os.environ.get("SFJWT_NODE") or shutil.which("node")
    if not found:
        absent("Node 22.19 or newer (SFJWT_NODE or PATH)")
    return str(found)


@pytest.fixture
def salesforce_cli(node: str) -> list[str]:
    """The command that starts the Salesforce CLI."""
    found = os.environ.get("SFJWT_SF_CLI") or shutil.which("sf")
    if not found:
        absent("the Salesforce CLI (SFJWT_SF_CLI or sf on PATH)")
    return [node, str(found)] if str(found).endswith(".js") else [str(found)]


@pytest.fixture
def sf(org: SimulatedOrg, salesforce_cli: list[str], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run the Salesforce CLI in a home of its own, signed in, and return its JSON."""
    port = org.url.rpartition(":")[2]
    environment = os.environ | {
        "HOME": str(tmp_path),
        "SF_AUDIENCE_URL": f"http://localhost:{port}",
        "SF_DISABLE_DNS_CHECK": "true",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
    }

    def run(*arguments: str, status: int = 0) -> dict[str, Any]:
        command = [*salesforce_cli, *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["status"] == status, answer
        return answer

    key = tmp_path / "key.pem"
    key.write_text(org.private_key)
    sign_in = ["org", "login", "jwt", "--client-id", org.consumer_key, "--jwt-key-file", str(key)]
    url = f"http://localhost:{port}"
    signed_in = run(*sign_in, "--username", org.username, "--instance-url", url, "--alias", "simulated")
    assert signed_in["result"]["orgId"] == org.org_id
    return run


@pytest.fixture
def jsforce(node: str) -> Path:
    """Folder of the jsforce package: SFJWT_JSFORCE, or beside the CLI."""
    cli = os.environ.get("SFJWT_SF_CLI", "")
    beside = next((parent / "jsforce" for parent in Path(cli).parents if parent.name == "node_modules"), None)
    found = Path(os.environ["SFJWT_JSFORCE"]) if "SFJWT_JSFORCE" in os.environ else beside
    if found is None or not found.is_dir():
        absent("jsforce (SFJWT_JSFORCE)")
    return Path(str(found))
