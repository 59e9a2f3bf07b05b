"""Typed Parquet of 1,000,000 rows, beside what others make of the same rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

from tests.benchmarks.peers.salesforce_cli import SalesforceCli
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import PEERS_PYTHON, Figures, Sample, Section, Verdict, fresh, interleaved, ours
from tests.benchmarks.served import PageServer

_LIMIT, _LIMIT_OF_PARTS = 0.8, 0.75
OURS, SIMPLE = "this package, typed Parquet", "simple-salesforce, CSV"
PARTS = "curl, then pyarrow, http"


def measure(server: PageServer, runs: int) -> Section:
    """The fast ones, which the limit is about. :param server: of the pages. :param runs: of each."""
    server.configure()
    variants: dict[str, Callable[[], Sample]] = {}
    for scheme in ("https", "http"):
        env = server.environment(scheme)
        variants[f"{OURS}, {scheme}"] = partial(ours, env)
        plain = ["--http"] if scheme == "http" else []
        variants[f"{SIMPLE}, {scheme}"] = partial(_peer, "simple_salesforce_download", env, *plain)
    plain_http = server.environment("http")
    variants[PARTS] = lambda: fresh(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.peers.curl_and_pyarrow"], plain_http
    )
    samples = interleaved(variants, runs)
    section = _section(samples)
    section.words.append(
        "curl fetches the same pages one after another; then pyarrow alone types the local files, two at once: what an "
        "extract would take if fetching and typing did not overlap."
    )
    ratio = _seconds(samples, f"{OURS}, http") / _seconds(samples, PARTS)
    section.verdicts.append(
        Verdict(f"≤ {_LIMIT_OF_PARTS} × curl, then pyarrow", f"{ratio:.2f} ×", ratio <= _LIMIT_OF_PARTS)
    )
    for scheme in ("https", "http"):
        ratio = _seconds(samples, f"{OURS}, {scheme}") / _seconds(samples, f"{SIMPLE}, {scheme}")
        section.verdicts.append(
            Verdict(f"≤ {_LIMIT} × simple-salesforce's time, {scheme}", f"{ratio:.2f} ×", ratio <= _LIMIT)
        )
    return section


def measure_peers(server: PageServer, runs: int) -> Section:
    """Everybody, the slow ones too. :param server: of the pages. :param runs: of each."""
    secure = server.environment("https") | {
        "AIRFLOW_CONN_SALESFORCE_OFFICIAL": json.dumps(
            {"conn_type": "salesforce", "extra": {"instance_url": server.urls["https"], "version": "66.0"}}
        ),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(server.scratch / "dlt"),
    }
    client = SalesforceCli(server)
    samples = interleaved(
        {
            f"{OURS}, https": lambda: ours(secure),
            f"{OURS}, http": lambda: ours(server.environment("http")),
            "Salesforce CLI, CSV, http": lambda: _since_complete(server, client.export),
            "official Airflow hook, CSV, https": lambda: _peer("official_hook", secure),
            "dlt's Salesforce source, Parquet, https": lambda: _since_complete(
                server, lambda: _peer("dlt_source", secure)
            ),
        },
        runs,
    )
    section = _section(samples)
    section.title = "Beside other ways to the same rows"
    section.words = [
        "The same pages or, where a client asks for JSON, the same rows. The official hook has no Bulk API 2.0 for "
        "queries: it asks over REST, 2,000 rows an answer, and its time is that of the query and of the file. dlt's "
        "source asks the first Bulk API; it is not on PyPI, so the benchmark does what it does, in a few lines, and dlt "
        "types, normalises and writes. The Salesforce CLI's time begins when it learns that the job is complete. "
        "It speaks plain http to this server, the other peers always speak https.",
    ]
    return section


def _section(samples: dict[str, list[Sample]]) -> Section:
    section = Section(
        "1,000,000 rows × 16 columns as typed Parquet",
        [
            "Seconds from the job's completion to the receipt, or to the last closed file of a peer. Ten pages of "
            "100,000 rows, 334 MB of CSV, `parallel_pages=4`. simple-salesforce's `download` writes the pages as they "
            "come, untyped.",
        ],
        ("", "s, median (min – max)", "CPU s", "peak memory, MB", "written, MB"),
    )
    for name, each in samples.items():
        section.rows.append(
            (
                name,
                Figures.of(each, "seconds").text(),
                Figures.of(each, "cpu_seconds").text(),
                f"{Figures.of(each, 'peak_bytes', MEGABYTE).median:,.0f}",
                f"{Figures.of(each, 'written_bytes', MEGABYTE).median:,.0f}",
            )
        )
    return section


def _peer(name: str, env: dict[str, str], *arguments: str) -> Sample:
    return fresh([PEERS_PYTHON, "-W", "ignore", "-m", f"tests.benchmarks.peers.{name}", *arguments], env)


def _since_complete(server: PageServer, run: Callable[[], Sample]) -> Sample:
    server.configure()
    sample = run()
    return {"seconds": sample.pop("ended") - server.counted()["first_complete"], **sample}


def _seconds(samples: dict[str, list[Sample]], name: str) -> float:
    return Figures.of(samples[name], "seconds").median
