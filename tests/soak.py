"""``python -m tests.soak [FACTOR]``: run every random test with FACTOR times its examples, and write docs/soak.md."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.metadata import version
from random import SystemRandom

import pytest

from tests.random_tests import RandomTests
from tests.repository import REPOSITORY

PAGE = REPOSITORY / "docs/soak.md"
FACTOR = 10

INTRODUCTION = """\
# Soak

The random tests draw their examples: faults and the moments at which a worker dies, files, keys, queries. `make test` runs a
sample of each, the same every time. `make soak` runs many times that, each time others, and writes this page. It is run by
hand before a release; `make soak SOAK=50` runs fifty samples. A run that failed is repeated with its seed:

```
SFJWT_SOAK=10 .venv/bin/python -m pytest --hypothesis-seed=SEED TEST
```

## The last run
"""


def commit() -> str:
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def page(result: RandomTests, *, factor: int, seed: int, seconds: float, begun: datetime) -> str:
    """What is written to docs/soak.md.

    :param result: the tests that ran, and what they said.
    :param factor: how many samples were tried.
    :param seed: Hypothesis'.
    :param seconds: how long all took together.
    :param begun: when.
    """
    failed = sum(each.outcome != "passed" for each in result.ran)
    lines = [
        f"{begun:%Y-%m-%d %H:%M} UTC, commit {commit()}, Python {platform.python_version()}, Airflow "
        f"{version('apache-airflow')}, {os.cpu_count()} cores. {factor} samples, seed {seed}. {len(result.ran)} tests with "
        f"{sum(each.examples for each in result.ran):,} examples in {seconds / 60:.1f} minutes, {failed} failed.",
        "",
        *_said(result.said),
        "| test | examples | seconds | outcome |",
        "|---|---|---|---|",
        *(f"| `{name}` | {count:,} | {took:.1f} | {outcome} |" for name, count, took, outcome in sorted(result.ran)),
    ]
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def _said(said: list[str]) -> Iterator[str]:
    """What tests said: each a paragraph, but for the lines of tables."""
    tables = sorted(line for line in said if line.startswith("Kill table"))
    yield from (f"> {line}\n" for line in sorted(set(said) - set(tables)))
    if tables:
        yield "\n".join(["```text", *tables, "```", ""])


def main(arguments: list[str]) -> int:
    """Run the random tests.

    :param arguments: how many samples; nothing for ten.
    :return: exit status of pytest.
    """
    factor, seed = int(arguments[0]) if arguments else FACTOR, SystemRandom().randrange(2**32)
    os.environ["SFJWT_SOAK"] = str(factor)
    result, begun, start = RandomTests(), datetime.now(timezone.utc), time.monotonic()
    print(f"{factor} samples of each random test, seed {seed}", flush=True)
    options = ["-q", "-m", "soak", "-n", "auto", "--timeout=0", f"--hypothesis-seed={seed}", str(REPOSITORY / "tests")]
    status = pytest.main(options, plugins=[result])
    seconds = time.monotonic() - start
    if not all(each.examples for each in result.ran if each.outcome == "passed"):
        sys.exit("Hypothesis' statistics have another form: see tests/random_tests.py")
    PAGE.write_text(page(result, factor=factor, seed=seed, seconds=seconds, begun=begun), encoding="utf-8")
    print(f"written: {PAGE}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
