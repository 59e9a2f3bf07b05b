"""What an extract costs of the org's API calls, as the server counted them."""

from __future__ import annotations

import math

from tests.benchmarks.runs import Section, Verdict, ours
from tests.benchmarks.served import PageServer

#: Neither counts against the org's allocation: signing in, and the list of versions.
_FREE = {"token", "versions"}


def measure(server: PageServer, runs: int) -> Section:
    """Extracts of several sizes, each once: the numbers do not vary. :param server: of the pages. :param runs: unused."""
    section = Section(
        "API calls",
        ["As the server counted them, and as the receipt says. Signing in and the list of versions are free."],
        ("pages", "polls", "counted", "in the receipt", "limit: P + ⌈P/5⌉ + polls + 4"),
    )
    met = True
    for page_count, looks in ((1, 0), (10, 0), (12, 3), (50, 1)):
        server.configure(page_count=page_count, polls=looks)
        sample = ours(server.environment("http"), "--format", "csv")
        counts = server.counted()["counts"]
        calls = sum(number for kind, number in counts.items() if kind not in _FREE)
        limit = page_count + math.ceil(page_count / 5) + counts["poll"] + 4
        met = met and calls <= limit and sample["api_calls"] == calls
        print(f"  {page_count} pages: {counts}", flush=True)
        row = (page_count, counts["poll"], calls, int(sample["api_calls"]), limit)
        section.rows.append(tuple(map(str, row)))
    section.verdicts.append(Verdict("≤ P + ⌈P/5⌉ + polls + 4, and counted rightly", "see above", met))
    return section
