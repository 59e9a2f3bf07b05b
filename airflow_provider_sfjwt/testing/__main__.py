"""``python -m airflow_provider_sfjwt.testing``: an org for demos, until it is interrupted."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key
from airflow_provider_sfjwt.testing.org import SimulatedOrg

VARIABLE = "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_sfjwt.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1; 0: any free one (default: 8765)")
    parser.add_argument(
        "--records",
        action="append",
        type=_records,
        metavar="OBJECT=N",
        help="number of sample rows of an object; repeatable or separated by commas (default: a few of each)",
    )
    parser.add_argument(
        "--modified-hours", type=float, help="spread SystemModstamp over the last N hours (default: 720)"
    )
    parser.add_argument(
        "--database", default=":memory:", help="SQLite file that keeps the records (default: in memory)"
    )
    parser.add_argument("--key-file", type=Path, help="private key, PEM; made there with mode 0600 where there is none")
    parser.add_argument("--env-file", type=Path, help="also write the connection's JSON here, mode 0600")
    parser.add_argument("--tls", action="store_true", help="serve https with a certificate made for the occasion")
    parser.add_argument("--sandbox", action="store_true", help="be a sandbox: expect test.salesforce.com as audience")
    parser.add_argument("--bulk-page-size", type=int, default=100_000, help="rows of a Bulk page (default: 100000)")
    parser.add_argument("--bulk-polls", type=int, default=1, help="polls before a job completes (default: 1)")
    return parser


def _records(text: str) -> dict[str, int]:
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): int(number) for name, _, number in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not OBJECT=NUMBER") from None


def _write_private(path: Path, text: str) -> None:
    """Write a secret so that nobody else can read it at any moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _span(hours: float | None) -> tuple[datetime, datetime] | None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return None if hours is None else (now - timedelta(hours=hours), now)


def _key(path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.exists():
        _write_private(path, shared_private_key())
    return path.read_text(encoding="utf-8")


def _org(options: argparse.Namespace) -> SimulatedOrg:
    return SimulatedOrg(
        port=options.port,
        tls=options.tls,
        sandbox=options.sandbox,
        database=options.database,
        records={name: count for group in options.records or [] for name, count in group.items()} or None,
        modified_between=_span(options.modified_hours),
        private_key=_key(options.key_file),
        bulk_page_size=options.bulk_page_size,
        bulk_polls=options.bulk_polls,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Start an org, say how to reach it, and serve until SIGINT or SIGTERM.

    :param arguments: of the command line; None: those of this process.
    :return: exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        org = _org(options).start()
    except (KeyError, ValueError, OSError) as error:
        parser.error(str(error.args[0]) if isinstance(error, KeyError) else str(error))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with closing(org):
        connection = org.connection_json()
        if options.env_file:
            _write_private(options.env_file, connection)
        print(f"simulated Salesforce org at {org.url}, user {org.username}")
        print(f"export {VARIABLE}={shlex.quote(connection)}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
