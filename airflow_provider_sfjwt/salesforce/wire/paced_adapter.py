"""The adapter by which ``requests`` counts the bytes of answers. It imports requests, so it is imported late."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from requests.adapters import HTTPAdapter

from airflow_provider_sfjwt.salesforce.wire.pace import PacedResponse


class PacedAdapter(HTTPAdapter):
    """Makes connections whose answers are counted, through a proxy or not."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool of connections for a request; see ``requests.adapters.HTTPAdapter``."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _paced(pool.ConnectionCls)
        return pool


@lru_cache(maxsize=16)
def _paced(kind: Any) -> Any:
    if getattr(kind, "response_class", None) is PacedResponse:
        return kind
    return type(kind.__name__, (kind,), {"response_class": PacedResponse})
