"""A StatsD server that keeps what it is sent."""

from __future__ import annotations

import socket
from collections import defaultdict


class StatsD:
    """A UDP socket on 127.0.0.1."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        self._socket.close()

    def metrics(self) -> dict[str, float]:
        """What has arrived: the sums of counters and the last values of gauges, by name with tags, of this package."""
        found: dict[str, float] = defaultdict(float)
        while True:
            try:
                text = self._socket.recv(65_536).decode()
            except TimeoutError:
                return dict(found)
            for line in text.splitlines():
                name, _, rest = line.rpartition(":")
                value, kind, *_ = rest.split("|")
                if "salesforce_jwt." not in name:
                    continue
                found[name] = float(value) + (found[name] if kind == "c" else 0)
