"""One load in a process of its own whose disk is full, or whose files may not grow: prints JSON of how that went.

The state store is kept in a file, so that a later process is the task's next try.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.exceptions import SalesforceError
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.load_task import items, task


def main(said: dict[str, Any]) -> None:
    """Load once.

    :param said: ``rows``, the task's ``arguments``, the ``store`` file, and of what may be missing: ``file_limit``, the
        bytes that a file may have; ``small``, a folder with a file system of its own of ``small_bytes``.
    """
    if "small" in said:
        size = f"size={said['small_bytes']}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", said["small"]], check=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if "file_limit" in said:  # Python ignores the signal, so that a write fails as one to a full disk does
        resource.setrlimit(resource.RLIMIT_FSIZE, (said["file_limit"], before[1]))
    kept, store = Path(said["store"]), StateStore()
    store.values = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    rows = items(said["rows"])
    try:
        result = run_to_end(task("Item__c", rows, **said["arguments"]), {"task_state_store": store})
        outcome = {"counts": result["counts"]}
    except SalesforceError as error:
        outcome = {"error": type(error).__name__, "message": str(error), "retryable": error.retryable}
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept.write_text(json.dumps(store.values), encoding="utf-8")
    folder = Path(said["arguments"].get("results_path", "file:///nowhere").removeprefix("file://"))
    outcome["left"] = [path.name for path in Path(tempfile.gettempdir()).iterdir()]
    outcome["results"] = {path.name: path.stat().st_size for path in folder.glob("*")}
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
