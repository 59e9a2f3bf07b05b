"""What a JSON schema leaves undescribed."""

from __future__ import annotations

from typing import Any


def undescribed(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """The keys of a value, however deep, that the schema does not name."""
    if isinstance(value, list):
        return [name for each in value for name in undescribed(schema.get("items") or {}, each, path)]
    if not isinstance(value, dict):
        return []
    if "additionalProperties" in schema:  # its keys are data, not names
        return []
    known = (schema | next((each for each in schema.get("oneOf", []) if "properties" in each), {}))["properties"]
    found = [f"{path}{name}" for name in value if name not in known]
    return found + [
        name for key in value if key in known for name in undescribed(known[key], value[key], f"{path}{key}.")
    ]
