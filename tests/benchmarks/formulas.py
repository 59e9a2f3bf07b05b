"""Formula fields kept fresh: a look at all rows of an object, beside an extract of the same fields."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.benchmarks.formulas_once import FORMULAS, SOBJECT
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, fresh, interleaved
from tests.benchmarks.served import PageServer
from tests.local_airflow.airflow_home import AirflowHome

_MOST_TIMES, _LIMIT_MB = 1.5, 150
_BATCH = 50_000
_FIRST, _LATER, _EXTRACT = (
    "run with the first look",
    "run with a later look, 1 % changed",
    "extract of Id and the fields",
)
_PLAIN = "run without a look"


class _Stage:
    """An org with one object, a sync of it, and an Airflow home."""

    def __init__(self, org: SimulatedOrg, folder: Path, rows: int) -> None:
        self._org, self._rows = org, rows
        self._env = {
            **os.environ,
            **AirflowHome(folder / "airflow", [folder], 0, {}).env,
            "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "BENCH_ROOT": (folder / "root").as_uri(),
        }
        self._hashes = folder / "root" / SOBJECT / "_formulas.arrow"
        self._ids: list[str] = []
        computed = {"calculated": True, "createable": False}
        types = {"precision": 18, "scale": 6, **computed}, {"length": 80, **computed}, computed
        kinds = zip(FORMULAS, ("double", "string", "date"), types, strict=True)
        org.define_object(SOBJECT, [Field(name, kind, **given) for name, kind, given in kinds])
        for start in range(0, rows, _BATCH):
            batch = range(start, min(start + _BATCH, rows))
            self._ids += org.insert(SOBJECT, [{"Name": f"deal {number}", **_values(number)} for number in batch])

    def run(self, way: str) -> Sample:
        """Measure one look, or an extract. :param way: of ``formulas_once``."""
        self._org.clock_offset += 10
        return fresh([sys.executable, "-W", "ignore", "-m", "tests.benchmarks.formulas_once", way], self._env)

    def first(self) -> Sample:
        """A look that makes the hashes of the chain's files."""
        self._hashes.unlink(missing_ok=True)
        return self.run("refresh")

    def later(self) -> Sample:
        """A look after which 1 % of the rows are published."""
        for record in self._ids[::100]:
            self._org.recalculate(SOBJECT, record, _values(int(self._org.clock_offset * 7)))
        return self.run("refresh")


def _values(number: int) -> dict[str, object]:
    due = date(2026, 1, 1) + timedelta(days=number % 900)
    return dict(zip(FORMULAS, (number / 7, f"region {number % 5_000}", due), strict=True))


@contextmanager
def _staged(rows: int) -> Iterator[_Stage]:
    with tempfile.TemporaryDirectory() as folder, SimulatedOrg(records={}, bulk_polls=1) as org:
        yield _Stage(org, Path(folder), rows)


def measure(server: PageServer, runs: int) -> Section:
    """Looks at formula fields, and extracts of them. :param server: unused. :param runs: of each."""
    rows = int(os.environ.get("FORMULA_ROWS", "1_000_000"))
    with _staged(rows) as stage:
        stage.run("refresh")  # the first window brings all rows
        variants = {
            _EXTRACT: lambda: stage.run("extract"),
            _PLAIN: lambda: stage.run("sync"),
            _LATER: stage.later,
            _FIRST: stage.first,
        }
        samples = interleaved(variants, runs)
    section = Section(
        f"Formula fields of {rows:,} rows",
        [
            "Three formula fields: a number, a text and a date. The runs are of a sync whose window is empty. A look brings "
            "`Id` and the fields of all rows by a job of the simulated org, which runs on the same cores, compares them with "
            "the chain, and publishes 1 % of the rows. What it takes is the difference between a run with it and a run "
            "without. The first look has no hashes yet, and makes them of the chain's files. Memory is above what an imported "
            "Airflow takes.",
        ],
        ("", "s", "client CPU, s", "above an imported Airflow, MB"),
    )
    for name, found in samples.items():
        shown = [Figures.of(found, key).text() for key in ("seconds", "cpu_seconds")]
        section.rows.append((name, *shown, Figures.of(found, "above_bytes", MEGABYTE).text(0)))
    median = {
        (name, key): Figures.of(found, key).median
        for name, found in samples.items()
        for key in ("seconds", "above_bytes")
    }
    times = (median[_LATER, "seconds"] - median[_PLAIN, "seconds"]) / median[_EXTRACT, "seconds"]
    section.verdicts.append(
        Verdict(f"a later look: ≤ {_MOST_TIMES} × the extract of the fields", f"{times:.2f} ×", times <= _MOST_TIMES)
    )
    for name in (_LATER, _FIRST):
        above = median[name, "above_bytes"] / MEGABYTE
        section.verdicts.append(Verdict(f"{name}: ≤ {_LIMIT_MB} MB", f"{above:,.0f} MB", above <= _LIMIT_MB))
    return section
