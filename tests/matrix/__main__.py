"""``make test-matrix``: the package as a wheel on each version of Airflow, and a table of what worked.

``python -m tests.matrix [--python 3.11] [--only COLUMN,…] [--docs] [VERSION…]``, or ``--upgrade OLD NEW``
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from datetime import datetime, timezone
from pathlib import Path

from tests.matrix.environment import CACHE, Environment, build_wheel, features, versions
from tests.repository import REPOSITORY

#: Tried by ``features.py``, in one process.
FEATURES = ("imports", "form", "query", "extract", "deferrable", "watermark", "load")
#: Tests in one process each; random ones and those of a running Airflow are left to the suite and to ``survival``.
ROOMS = (
    *("assets", "cli", "compat", "doctor", "extract", "files", "hooks", "load", "operators", "salesforce", "sensors"),
    *("sync", "tables", "tasks", "transfers", "triggers", "ui"),
)
#: Runs of pytest, by the name of their column. Kill, 503s, clear, mark failed, another triggerer, on a real scheduler.
TESTS = {
    "survival": (
        *("tests/system/test_extract_survives.py", "tests/system/test_load_dags.py"),
        *("-k", "test_extract_survives or killed or marking or 503s"),
    ),
    "unit": (
        *("-n", "auto", "--max-worker-restart", "0", "-m", "not soak and not system and not browser"),
        *(f"tests/{room}" for room in ROOMS),
    ),
}
COLUMNS = ("installs", *FEATURES, "demo", *TESTS)
DOCUMENT = REPOSITORY / "docs" / "compatibility.md"
_BEGIN, _END = "<!-- matrix: written by make test-matrix -->", "<!-- end of matrix -->"


def main() -> int:
    """Try every version.

    :return: exit status.
    """
    parser = ArgumentParser(prog="python -m tests.matrix")
    parser.add_argument("versions", nargs="*", default=[], metavar="VERSION")
    parser.add_argument("--python", default=f"{sys.version_info[0]}.{sys.version_info[1]}")
    parser.add_argument("--only", default=",".join(COLUMNS), help="columns, with commas")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {DOCUMENT.name}")
    parser.add_argument("--upgrade", action="store_true", help="from the first of two versions to the second, in place")
    given = parser.parse_args()
    if given.upgrade:
        old, new = (Environment(airflow, given.python) for airflow in given.versions)
        return _upgrade(old, new, build_wheel())
    columns = [name for name in COLUMNS if name in given.only.split(",")]
    wheel = build_wheel()
    rows = []
    for airflow in given.versions or versions():
        began = time.monotonic()
        environment = Environment(airflow, given.python)
        row = _row(environment, wheel, columns)
        rows.append([airflow, environment.python_version, *(row.get(name, "") for name in columns)])
        print(
            f"Airflow {airflow}, Python {environment.python_version}: {row}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    table = _table([["Airflow", "Python", *columns], *rows])
    print(table)
    if given.docs:
        _write(table)
    return int(any(not _good(cell) for row in rows for cell in row))


def _upgrade(old: Environment, new: Environment, wheel: Path) -> int:
    for each in (old, new):
        each.install(wheel)
    command = [str(new.python), "-m", "tests.matrix.upgrade", str(old.python), str(new.python)]
    env = {**os.environ, "PYTHONPATH": str(CACHE / "checkout")}
    return subprocess.run(command, cwd=CACHE / "checkout", env=env, check=False).returncode


def _row(environment: Environment, wheel: Path, columns: list[str]) -> dict[str, str]:
    row = {"installs": environment.install(wheel)}
    if set(FEATURES) & set(columns):
        row |= features(environment.python, Path(__file__).parent, environment.folder / "features.log")
    if "demo" in columns:
        status = _in_checkout(environment, "demo", "-m", "tests.local_airflow.demo")
        row["demo"] = "FAILED" if status else "ok"
    for name, files in TESTS.items():
        if name in columns:
            # A test that cannot be had on a version skips there by name.
            _in_checkout(environment, name, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=-ra", *files)
            row[name] = _counts((environment.folder / f"{name}.log").read_text(encoding="utf-8"))
    return row


def _in_checkout(environment: Environment, name: str, *arguments: str) -> int:
    """Run something beside the tests; what it prints goes into a log of the environment."""
    with (environment.folder / f"{name}.log").open("w") as log:
        env = {**os.environ, "PYTHONPATH": str(CACHE / "checkout")}
        command = [str(environment.python), *arguments]
        return subprocess.run(
            command, cwd=CACHE / "checkout", env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        ).returncode


def _counts(log: str) -> str:
    """What pytest counted. Processes that end after it may print more."""
    lines = re.findall(r"^(?:=+ )?(\d+ (?:passed|failed|error|skipped).*) in [\d.]+s", log, re.MULTILINE)
    return ", ".join(re.findall(r"\d+ (?:passed|failed|errors?|skipped)", lines[-1])) if lines else "FAILED"


def _good(cell: str) -> bool:
    return not re.search(r"FAILED|CHANGES|failed|error", cell)


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _write(table: str) -> None:
    """Put the table into the document, in place of the last one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text.partition(_BEGIN)[0], text.partition(_END)[2]
    today = datetime.now(timezone.utc).strftime("%-d %B %Y")
    DOCUMENT.write_text(f"{before}{_BEGIN}\n\nPrinted on {today}:\n\n{table}\n\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
