"""Peak memory of an extract, above what an imported Airflow takes, at 1,000,000 and at 5,000,000 rows."""

from __future__ import annotations

from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, interleaved, ours
from tests.benchmarks.served import PageServer

_LIMIT_MB = 150
_GROWTH = 0.10


def measure(server: PageServer, runs: int) -> Section:
    """Both sizes in turn. :param server: of the pages. :param runs: of each."""

    def extract(page_count: int, *arguments: str) -> Sample:
        server.configure(page_count=page_count)
        sample = ours(server.environment("http"), *arguments)
        return {**sample, "above_bytes": sample["peak_bytes"] - sample["imported_bytes"]}

    samples = interleaved(
        {
            "Parquet, 1,000,000 rows": lambda: extract(10),
            "Parquet, 5,000,000 rows": lambda: extract(50),
            "CSV, 1,000,000 rows": lambda: extract(10, "--format", "csv"),
            "CSV, 5,000,000 rows": lambda: extract(50, "--format", "csv"),
        },
        runs,
    )
    section = Section(
        "Peak memory",
        [
            "The high-water mark of the process (`VmHWM`), less what it had been when `airflow.sdk` and the operator were "
            "imported. `parallel_pages=4`, plain http. The 5,000,000 rows are the ten pages, five times over.",
        ],
        ("", "above an imported Airflow, MB", "imported Airflow, MB", "s"),
    )
    for name, each in samples.items():
        figures = [Figures.of(each, key, MEGABYTE) for key in ("above_bytes", "imported_bytes")]
        section.rows.append((name, figures[0].text(0), figures[1].text(0), Figures.of(each, "seconds").text(1)))
    for kind in ("Parquet", "CSV"):
        one, five = (
            Figures.of(samples[f"{kind}, {rows} rows"], "above_bytes", MEGABYTE).median
            for rows in ("1,000,000", "5,000,000")
        )
        growth = five / one - 1
        section.verdicts += [
            Verdict(f"{kind}: ≤ {_LIMIT_MB} MB at 1,000,000 rows", f"{one:,.0f} MB", one <= _LIMIT_MB),
            Verdict(f"{kind}: within 10 % of that at 5,000,000", f"{growth:+.0%}", abs(growth) <= _GROWTH),
        ]
    return section
