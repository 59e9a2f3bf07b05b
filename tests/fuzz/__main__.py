"""``python -m tests.fuzz [SECONDS] [SEED]``: fuzz every target in turn, and print each finding as a case to be stored."""

from __future__ import annotations

import sys
from random import SystemRandom

from tests import conftest  # noqa: F401 - no Airflow of the user's
from tests.fuzz.run import fuzz


def main(arguments: list[str]) -> int:
    """Fuzz.

    :param arguments: seconds in all, and the seed; both may be left out.
    :return: 1 where anything was found.
    """
    seconds = float(arguments[0]) if arguments else 600.0
    seed = int(arguments[1]) if len(arguments) > 1 else SystemRandom().randrange(2**32)
    print(f"Fuzzing for {seconds:g} s, seed {seed}", flush=True)
    rows = fuzz(seconds, seed)
    print(f"{'target':20} {'inputs':>9} {'seconds':>8} {'slowest':>8} {'peak MB':>8}  findings")
    for row in rows:
        print(
            f"{row.target:20} {row.inputs:9,} {row.seconds:8.1f} {row.slowest:8.2f} {row.peak_mb:8.0f}  {len(row.findings)}"
        )
    for row in rows:
        for finding in row.findings:
            print(f"\n{row.target}: {finding.what}\n{finding.case[:4_000]}")
    return int(any(row.findings for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
