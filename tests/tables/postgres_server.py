"""A PostgreSQL of the tests' own, on 127.0.0.1, in a folder that is removed; an unprivileged user runs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "tester"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, or None where it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return folders[-1].parent if folders else None


@contextmanager
def running(*settings: str) -> Iterator[int]:
    """Run a server.

    :param settings: more of ``postgresql.conf``, e.g. ``shared_buffers=512MB``.
    :return: its port; the database is ``postgres``, the superuser ``tester`` needs no password.
    """
    folder = programs()
    assert folder is not None
    home = Path(tempfile.mkdtemp(prefix="sfjwt-pg-", dir="/tmp"))
    port = _free_port()
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL does not run as root
        shutil.chown(home, "nobody")
        # Python's own argument `user` makes it fork, which a process with channels of gRPC may not survive.
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    initdb = [folder / "initdb", "-D", home / "data", "-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd="/")
    options = [f"-c{each}" for each in ("listen_addresses=127.0.0.1", "fsync=off", *settings)]
    log = (home / "log").open("wb")
    server = subprocess.Popen(
        [*as_user, folder / "postgres", "-D", home / "data", "-p", str(port), "-k", home, *options],
        stdout=log, stderr=log, cwd="/",
    )  # fmt: skip
    try:
        ready = [folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None, (home / "log").read_text()
        yield port
    finally:
        server.terminate()
        server.wait(60)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
