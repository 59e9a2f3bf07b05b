"""The page server as the benchmarks use it, and the environment in which a measured process finds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key
from tests.benchmarks import pages
from tests.repository import REPOSITORY

ROOT = REPOSITORY
CACHE = ROOT / ".cache" / "bench"


class PageServer:
    """A page server for as long as the ``with`` block lasts. Making the pages takes a minute, once."""

    def __enter__(self) -> PageServer:
        folder = CACHE / "pages"
        if not (folder / "complete").exists():
            print("Making the pages…", flush=True)
            pages.prepare(folder)
        self._scratch = tempfile.TemporaryDirectory(prefix="sfjwt-bench-")
        self.scratch = Path(self._scratch.name)
        self.key_file = self.scratch / "key.pem"
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(shared_private_key(), encoding="ascii")
        command = [sys.executable, "-m", "tests.benchmarks.page_server", str(folder), "--tls-folder", str(self.scratch)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self.urls = {"http": ports["http"], "https": ports["https"]}
        self.authority = ports["authority"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # closes its standard input, which ends it
        self._scratch.cleanup()

    def configure(self, **settings: Any) -> None:
        """Set :class:`tests.benchmarks.page_routes.Settings`, and begin to count anew."""
        self._call("/_settings", json.dumps(settings).encode())

    def counted(self) -> dict[str, Any]:
        """What was asked for since: ``counts`` by kind, and ``first_complete``, when a client first learned of an end."""
        answer: dict[str, Any] = self._call("/_counted")
        return answer

    def connection(self, scheme: str) -> str:
        """An Airflow connection to this server. :param scheme: ``http`` or ``https``."""
        extra = {"consumer_key": "benchmark", "key_file": str(self.key_file)}
        if scheme == "https":
            extra["ca_bundle"] = self.authority
        host = {"conn_type": "salesforce_jwt", "login": "benchmark@example.com", "host": self.urls[scheme]}
        return json.dumps({**host, "extra": extra})

    def environment(self, scheme: str) -> dict[str, str]:
        """Of a process that finds this server, and no Airflow of the user's. :param scheme: ``http`` or ``https``."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        return outside | {
            "AIRFLOW_HOME": str(self.scratch / "airflow"),
            "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": self.connection(scheme),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "BENCH_URL": self.urls[scheme],
            "BENCH_KEY_FILE": str(self.key_file),
            "REQUESTS_CA_BUNDLE": self.authority,
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _call(self, path: str, body: bytes | None = None) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.urls["http"] + path, data=body, timeout=30) as answer:
            return json.load(answer)
