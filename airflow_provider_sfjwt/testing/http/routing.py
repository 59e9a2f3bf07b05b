"""How an endpoint is named: by a method and a pattern of paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_sfjwt.testing.http.messages import Answer

Endpoint = Callable[..., Answer]


@dataclass(frozen=True)
class Route:
    """One endpoint of the data APIs.

    :param method: ``GET``, ``POST``…
    :param path: regular expression of the path below ``/services/data/vXX.0``.
    :param endpoint: called with the request, the API version and the groups of the path.
    """

    method: str
    path: str
    endpoint: Endpoint

    def match(self, method: str, path: str) -> re.Match[str] | None:
        """Return the match of a request with this route, or None."""
        return re.fullmatch(self.path, path) if method == self.method else None


class Resource(Protocol):
    """A part of the data APIs that has endpoints of its own."""

    def routes(self) -> Sequence[Route]:
        """Return its endpoints."""
