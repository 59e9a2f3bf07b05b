from __future__ import annotations

from tests.orgs import private_key, small_org

__all__ = ["private_key", "small_org"]
