"""A group that shares the pages of a job, whose tasks are run one by one, as Airflow would run them."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG

from airflow_provider_sfjwt.operators.shares import FetchShareOperator
from airflow_provider_sfjwt.operators.sync import SalesforcePartitionedExtract
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import FIELDS

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class SharedGroup:
    """The group ``big`` of the accounts, in three shares.

    :param path: of the folder; text for one on an object store.
    :param arguments: of the group, beside the defaults here.
    """

    def __init__(self, path: Path | str, **arguments: Any) -> None:
        defaults: dict[str, Any] = {
            "sobject": "Account",
            "fields": FIELDS,
            "file_format": "csv",
            "shares": 3,
            "poll_interval": 0.05,
            "commit_lag": 0,
        }
        if "soql" in arguments:
            del defaults["sobject"], defaults["fields"]
        with DAG("dag", schedule=None, start_date=START) as dag:
            place = path if isinstance(path, str) else f"file://{path}"
            SalesforcePartitionedExtract("big", output_path=place, **{**defaults, **arguments})
        self.dag = dag
        self.stores: dict[str, StateStore] = {}
        self.xcoms: dict[tuple[str, str], Any] = {}
        self.shared: dict[str, list[dict[str, Any]]] = {}
        self.committed: Any = None

    def plan(self, task: str = "plan", **context: Any) -> list[dict[str, Any]]:
        """Run a plan. What it returns is given to the other tasks."""
        shares = run_to_end(self.task(task), self.context(task, **context))
        assert json.loads(json.dumps(shares)) == shares  # an XCom
        self.shared[task] = shares
        return shares  # type: ignore[no-any-return]

    def fetch(self, share: int, plan: str = "plan", **changes: Any) -> dict[str, Any]:
        """Run one instance of ``fetch``, as Airflow makes it of what the plan returned."""
        task = plan.replace("plan", "fetch")
        mapped = self.dag.get_task(f"big.{task}")
        known = {**mapped.partial_kwargs, "share": self.shared[plan][share]}  # type: ignore[attr-defined]
        arguments = {name: known[name] for name in ("extract", "group", "share")}
        arguments["extract"] = {**arguments["extract"], **changes}
        operator = FetchShareOperator(task_id="fetch", **arguments)
        return operator.execute(self.context(task, map_index=share))  # type: ignore[arg-type]

    def commit(self, **context: Any) -> dict[str, Any]:
        """Run ``commit``."""
        self.committed = operator = self.task("commit")
        operator.planned = list(self.shared.values())
        return operator.execute(self.context("commit", **context))  # type: ignore[no-any-return]

    def abort(self) -> list[str]:
        """Run ``abort``."""
        return self.task("abort").execute(self.context("abort"))  # type: ignore[no-any-return]

    def run(self) -> dict[str, Any]:
        """Run all tasks, once each."""
        plans = [task.task_id.partition(".")[2] for task in self.dag.tasks if task.task_id.endswith("plan")]
        for plan in plans:
            for share in range(len(self.plan(plan))):
                self.fetch(share, plan)
        return self.commit()

    def task(self, name: str) -> Any:
        """An operator of the group, new for each attempt."""
        return copy.copy(self.dag.get_task(f"big.{name}"))

    def context(self, task: str, map_index: int = -1, run_id: str = "run", **more: Any) -> Any:
        """Of a task instance."""
        task_id = f"big.{task}"

        def push(key: str, value: Any) -> None:
            self.xcoms[task_id, key] = value

        def pull(task_ids: str, key: str) -> Any:
            return self.xcoms.get((task_ids, key))

        instance = SimpleNamespace(
            dag_id="dag", run_id=run_id, task_id=task_id, map_index=map_index, xcom_push=push, xcom_pull=pull
        )
        store = self.stores.setdefault(f"{run_id}.{task}.{map_index}", StateStore())
        return {"ti": instance, "task_state_store": store, **more}
