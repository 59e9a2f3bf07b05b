"""The events of OpenLineage as one graph: which data sets go where, column by column. ``python -m tests.lineage.graph FILE``
prints it, from a file that OpenLineage's file transport has written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def events_of(file: Path) -> list[dict[str, Any]]:
    """The events that OpenLineage's file transport wrote, of tasks alone."""
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [event for event in events if "." in event["job"]["name"]]


def name_of(data_set: dict[str, Any]) -> str:
    """A data set in one word."""
    namespace, name = data_set["namespace"], data_set["name"]
    return f"{namespace}:{name}" if name.startswith("/") else f"{namespace}/{name}"


def lines_of(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The graph, a task after the other, of the events that say that a task is complete."""
    for event in events:
        if event["eventType"] != "COMPLETE":
            continue
        yield event["job"]["name"]
        for data_set in event["inputs"]:
            yield f"  reads   {name_of(data_set)}"
        for data_set in event["outputs"]:
            rows = data_set.get("outputFacets", {}).get("outputStatistics", {}).get("rowCount")
            yield f"  writes  {name_of(data_set)}" + ("" if rows is None else f" ({rows} rows)")
            for target, made_of in data_set["facets"].get("columnLineage", {"fields": {}})["fields"].items():
                sources = ", ".join(f"{name_of(each)}.{each['field']}" for each in made_of["inputFields"])
                yield f"            {target} <- {sources}"


if __name__ == "__main__":
    print("\n".join(lines_of(events_of(Path(sys.argv[1])))))
