"""Rows of files that two providers wrote, in one form."""

from __future__ import annotations

import csv
import io
import json
from typing import Any


def names(store: Any, prefix: str) -> list[str]:
    """The objects of the bucket below a prefix."""
    return sorted(each["Key"] for each in store.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", []))


def objects(store: Any, prefix: str) -> list[bytes]:
    """Their contents, without a receipt."""
    kept = (name for name in names(store, prefix) if "_receipt" not in name)
    return [store.get_object(Bucket="lake", Key=name)["Body"].read() for name in kept]


def rows(text: str) -> list[dict[str, Any]]:
    """Rows of CSV or JSON lines by names in lower case, whole numbers as such, nothing as None."""
    read = map(json.loads, text.splitlines()) if text.startswith("{") else csv.DictReader(io.StringIO(text))
    return [{name.lower(): _cell(name.lower(), value) for name, value in row.items()} for row in read]


def _cell(name: str, value: Any) -> Any:
    if value in ("", None):
        return None
    return int(float(value)) if name == "numberofemployees" else value
