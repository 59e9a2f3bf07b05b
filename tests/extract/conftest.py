from __future__ import annotations

from tests.orgs import private_key

__all__ = ["private_key"]
