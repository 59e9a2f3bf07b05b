from __future__ import annotations

from tests.orgs import fresh_masker, private_key, small_org

__all__ = ["fresh_masker", "private_key", "small_org"]
