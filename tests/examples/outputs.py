"""What the example DAGs leave behind, read and proved."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

#: When the examples run.
DAY, NEXT_DAY = "2026-11-10T00:00:00+00:00", "2026-11-11T00:00:00+00:00"


def data_set(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The receipt of a folder and its parts' bytes, which must be those that the receipt proves."""
    receipt = json.loads((path / "_receipt.json").read_text(encoding="utf-8"))
    contents = [(path / part["name"]).read_bytes() for part in receipt["parts"]]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert digests == [part["sha256"] for part in receipt["parts"]]
    assert {each.name for each in path.iterdir()} == {"_receipt.json", *(part["name"] for part in receipt["parts"])}
    assert receipt["counts"] == dict.fromkeys(("written", "pages", "job"), receipt["records"])
    return receipt, contents


def outcomes(summary: dict[str, Any], kind: str) -> list[dict[str, str]]:
    """The rows of the results files of one kind, whose bytes must be those that the receipt names."""
    folder = Path(summary["results_path"].removeprefix("file://"))
    parts = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))["parts"]
    rows: list[dict[str, str]] = []
    for part in parts:
        content = (folder / part["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        if part["name"].startswith(kind):
            rows += csv.DictReader(content.decode().splitlines(keepends=True))
    return rows
