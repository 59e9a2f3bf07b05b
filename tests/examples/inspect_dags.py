"""``python -m tests.examples.inspect_dags REPORT FILE…``: import files under watch, and parse them as Airflow does."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

_CALLS_FOR_IO = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "sqlite3.connect")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """What a file does while it is imported, as Python's audit events tell."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        if event in _CALLS_FOR_IO:
            self.seen.append(f"{event} {arguments!r}")
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self.seen.append(f"open for writing {arguments[0]!r}")


def imported(files: list[str]) -> dict[str, list[str]]:
    """What each file does by being imported, besides reading modules."""
    from airflow.sdk import DAG

    # What Airflow and croniter do on first use is not the example's business.
    DAG(dag_id="warm_up", schedule="@daily")
    watch, done = Watch(), {}
    for file in files:
        watch.seen = []
        runpy.run_path(file)
        done[file], watch.seen = watch.seen, None
    return done


def parsed() -> dict[str, Any]:
    """The DAGs of the folder as the DAG processor finds them, and what they are after serialization."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    bag = DagBag()
    tasks = {}
    for dag_id, dag in bag.dags.items():
        stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
        back = DagSerialization.from_dict(stored)
        tasks[dag_id] = {"before": sorted(dag.task_ids), "after": sorted(back.task_dict), "tags": sorted(dag.tags)}
    return {"errors": bag.import_errors, "dags": tasks}


def main(report: str, *files: str) -> None:
    Path(report).write_text(json.dumps({"io": imported(list(files)), **parsed()}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
