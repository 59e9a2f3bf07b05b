"""``python -m tests.matrix.pins``: the packages of each Airflow's month, an approximation of its own constraints.

Airflow's constraints cover what its release was tested with; these files cover what the tests need, too, for every
Python at once. They name no package index.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.matrix.environment import PINS
from tests.repository import REPOSITORY

#: Airflow, the oldest Python it runs on, and the end of the month of its release.
RELEASES = (
    ("3.1.8", "3.10", "2026-03-31"),
    ("3.2.2", "3.10", "2026-05-31"),
    ("3.3.2", "3.10", "2026-09-30"),
    ("3.4.0b2", "3.11", "2026-11-26"),
)


def main() -> None:
    """Write a file for each Airflow."""
    for airflow, python, day in RELEASES:
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / "airflow.txt"
            wanted.write_text(f"apache-airflow=={airflow}\n", encoding="utf-8")
            command = [
                *(
                    sys.executable,
                    "-m",
                    "uv",
                    "pip",
                    "compile",
                    "pyproject.toml",
                    str(wanted),
                    "--quiet",
                    "--universal",
                ),
                *("--python-version", python, "--exclude-newer", day, "--prerelease", "if-necessary-or-explicit"),
                *(f"--extra={name}" for name in ("parquet", "delta", "events", "testing")),
                *("--group", "tests", "--no-annotate", "--custom-compile-command", "make matrix-pins"),
                *("--output-file", str(PINS / f"airflow-{airflow}.txt")),
            ]
            subprocess.run(command, cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    main()
