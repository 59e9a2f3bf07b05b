"""How long a load takes beside simple-salesforce's, and how much memory, at 1,000,000 and at 5,000,000 rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks import load_rows
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import PEERS_PYTHON, Figures, Sample, Section, Verdict, fresh, interleaved
from tests.benchmarks.served import CACHE, PageServer

_LIMIT, _LIMIT_MB, _GROWTH = 0.5, 150, 0.10
_OURS = "this package, insert from {}"
_PEER = "simple-salesforce, insert from CSV"
_KINDS = {"CSV": "csv", "Parquet": "parquet"}
#: Whose memory is limited: the ending of the files, and options of ``load_once``.
_LIMITED: dict[str, tuple[str, tuple[str, ...]]] = {
    **{kind: (ending, ()) for kind, ending in _KINDS.items()},
    "CSV with results_path": ("csv", ("--results",)),
}


def measure(server: PageServer, runs: int) -> Section:
    """Beside the peer. :param server: that takes the rows. :param runs: of each."""
    folder = _rows()
    csv = load_rows.path(folder, "csv")
    samples = interleaved(
        {
            _OURS.format("CSV"): lambda: _ours(server, csv),
            _OURS.format("Parquet"): lambda: _ours(server, load_rows.path(folder, "parquet")),
            _PEER: lambda: _peer(server, csv),
            "this package, upsert from CSV": lambda: _ours(server, csv, "--operation", "upsert"),
            "this package, insert from CSV, with results_path": lambda: _ours(server, csv, "--results", keep=True),
        },
        runs,
    )
    size = csv.stat().st_size / MEGABYTE
    section = Section(
        "1,000,000 rows × 10 columns loaded",
        [
            f"Seconds of the whole call, {size:,.0f} MB of CSV or the same rows as typed Parquet. https, and a server that "
            "reads and counts what it is sent, and whose jobs are complete at the first look, after 10 ms. Both were "
            "told to look so soon: simple-salesforce would wait for 5 s at each job, this package for 1 s at all of "
            "them. This package checks every row before it sends any, and signs in. simple-salesforce got "
            "`batch_size=400000`: left alone, it cuts this file into pieces that it then refuses as longer than 100 MB. It "
            "reads no Parquet. Upsert also compares the keys of all rows, and `results_path` fetches every row's outcome "
            "and joins it with the input.",
        ],
        ("", "s, median (min – max)", "CPU s", "peak memory above what was imported, MB"),
    )
    for name, each in samples.items():
        figures = (Figures.of(each, "seconds").text(), Figures.of(each, "cpu_seconds").text())
        section.rows.append((name, *figures, Figures.of(each, "above_bytes", MEGABYTE).text(0)))
    for kind in _KINDS:
        ratio = _median(samples, _OURS.format(kind), "seconds") / _median(samples, _PEER, "seconds")
        section.verdicts.append(
            Verdict(f"from {kind}: ≤ {_LIMIT} × simple-salesforce's time", f"{ratio:.2f} ×", ratio <= _LIMIT)
        )
    return section


def measure_memory(server: PageServer, runs: int) -> Section:
    """Both sizes in turn. :param server: that takes the rows. :param runs: of each."""
    folder = _rows()
    variants: dict[str, Callable[[], Sample]] = {}
    for kind, (ending, options) in _LIMITED.items():
        load = partial(_ours, server, keep=bool(options))
        variants[f"{kind}, 1,000,000 rows"] = partial(load, load_rows.path(folder, ending), *options)
        variants[f"{kind}, 5,000,000 rows"] = partial(load, folder / f"*.{ending}", *options)
    samples = interleaved(variants, runs)
    section = Section(
        "Peak memory of a load",
        [
            "Insert. The high-water mark of the process (`VmHWM`), less what it had been when `airflow.sdk` and the "
            "operator were imported. https. The 5,000,000 rows are one file under five names, found by a glob. With "
            "`results_path`, every row's outcome is fetched, joined with the input and written.",
        ],
        ("", "above an imported Airflow, MB", "imported Airflow, MB", "s", "CPU s"),
    )
    for name, each in samples.items():
        figures = [Figures.of(each, key, MEGABYTE).text(0) for key in ("above_bytes", "imported_bytes")]
        figures += [Figures.of(each, key).text(1) for key in ("seconds", "cpu_seconds")]
        section.rows.append((name, *figures))
    for kind in _LIMITED:
        one, five = (
            _median(samples, f"{kind}, {rows} rows", "above_bytes") / MEGABYTE for rows in ("1,000,000", "5,000,000")
        )
        growth = five / one - 1
        section.verdicts += [
            Verdict(f"{kind}: ≤ {_LIMIT_MB} MB at 1,000,000 rows", f"{one:,.0f} MB", one <= _LIMIT_MB),
            Verdict(f"{kind}: within 10 % of that at 5,000,000", f"{growth:+.0%}", abs(growth) <= _GROWTH),
        ]
    return section


def _rows() -> Path:
    folder = CACHE / "rows"
    if not (folder / "complete").exists():
        print("Making the rows…", flush=True)
    load_rows.prepare(folder)
    return folder


def _ours(server: PageServer, source: Path, *options: str, keep: bool = False) -> Sample:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.load_once", str(source), *options]
    return _sent(server, command, keep=keep)


def _peer(server: PageServer, file: Path) -> Sample:
    module = "tests.benchmarks.peers.simple_salesforce_insert"
    return _sent(server, [PEERS_PYTHON, "-W", "ignore", "-m", module, file])


def _sent(server: PageServer, command: Sequence[str | Path], *, keep: bool = False) -> Sample:
    server.configure(keep_uploads=keep)
    sample = fresh(command, server.environment("https"))
    arrived = server.counted()["uploaded_rows"]
    if not arrived or arrived != sample["records"]:
        raise ValueError(f"{arrived:,} rows have arrived and {sample['records']:,} were reported")
    return {**sample, "above_bytes": sample["peak_bytes"] - sample["imported_bytes"]}


def _median(samples: dict[str, list[Sample]], name: str, key: str) -> float:
    return Figures.of(samples[name], key).median
