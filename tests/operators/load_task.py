"""A target for loads in the simulated org, the task that fills it, and ways in which an attempt of it breaks off."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.operators.airflow_run import StateStore

#: Names of requests, for faults.
CREATE, UPLOAD, JOB, RESULTS = "*/jobs/ingest", "*/batches", "*/jobs/ingest/750???????????????", "*/*Results/"
COLLECTIONS = "*/composite/sobjects*"
#: So long is the text of a row, so that a few of them fill a part of the smallest size.
FILLER = "x" * 90


class LoadInParts(SalesforceLoadOperator):
    """The operator, with parts of another size.

    :param part_bytes: of a part at most.
    """

    def __init__(self, *, part_bytes: int = 24 * 2**20, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.part_bytes = part_bytes

    def spec(self) -> LoadSpec:
        return replace(super().spec(), part_bytes=self.part_bytes)


class KilledError(BaseException):
    """Ends a worker as the kernel does: the product does not catch it."""


class MortalStore(StateStore):
    """A state store of workers that may die when they write into it, or once something else says so."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: Callable[[], bool] = lambda: False
        self._left: int | None = None
        self._keeps_last = False

    def die_at(self, write: int | None, *, keeps_last: bool = False) -> None:
        """Let the worker die at one of the writes from now on.

        :param write: which one, from 1; None: at none.
        :param keeps_last: whether the value is kept that is being written then.
        """
        self._left, self._keeps_last = write, keeps_last

    def set(self, key: str, value: Any) -> None:
        if self.dead():
            raise KilledError
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                if self._keeps_last and self._left == 0:
                    super().set(key, value)
                raise KilledError
        super().set(key, value)


def define_items(org: SimulatedOrg, name: str = "Item__c") -> str:
    """Make the object that is loaded into; its ``Number__c`` and ``Text__c`` tell rows apart.

    :return: its name.
    """
    org.define_object(
        name,
        [
            Field("Key__c", length=40, external_id=True, unique=True),
            Field("Number__c", "int"),
            Field("Text__c", "textarea", length=32_000),
        ],
    )
    return name


def items(count: int, *, copies: int = 1) -> list[dict[str, Any]]:
    """Rows of which eight make a part of 1,000 bytes.

    :param count: of rows.
    :param copies: of each of them; with more than one they have no key.
    """
    keyed = copies == 1
    return [
        {"Key__c": f"k{n:04d}" if keyed else None, "Number__c": n // copies, "Text__c": f"row {n // copies} {FILLER}"}
        for n in range(count)
    ]


def task(sobject: str, source: Any, **arguments: Any) -> LoadInParts:
    """The task, which looks at its jobs every millisecond."""
    wanted = {"operation": "insert", "transport": "bulk", "poll_interval": 0.001, "part_bytes": 1000, **arguments}
    return LoadInParts(task_id="load", sobject=sobject, source=source, **wanted)


def instance(map_index: int = -1, *, run_id: str = "run", task_id: str = "load") -> dict[str, Any]:
    """The context of a task instance."""
    ti = SimpleNamespace(dag_id="dag", run_id=run_id, task_id=task_id, map_index=map_index, xcom_push=lambda **_: None)
    return {"task_state_store": MortalStore(), "ti": ti}


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows with the standard library; return the path as a source."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return f"file://{path}"


def counted(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[Any, ...]]:
    """How often each row is there, by its own columns."""
    return Counter((row["Key__c"], row["Number__c"], row["Text__c"]) for row in rows)


def in_org(org: SimulatedOrg, sobject: str = "Item__c") -> Counter[tuple[Any, ...]]:
    """How often each row is in the org, once Salesforce has worked through what it was given."""
    return counted(row for row in org.rows(sobject) if not row["IsDeleted"])


def kill_after(org: SimulatedOrg, store: MortalStore, request: int) -> None:
    """Let the worker die while it waits for an answer: that request is processed, and nothing comes after it.

    :param request: which one, from 1, of those that come from now on.
    """
    begun = len(org.requests)
    org.add_fault(Fault(nth=request, lose_answer=True))
    org.add_fault(Fault(nth=request + 1, times=None, reset=True))
    store.dead = lambda: len(org.requests) - begun >= request


def report_in(folder: Path) -> dict[str, Any]:
    """The receipt of a load."""
    content: dict[str, Any] = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))
    return content


def results_in(folder: Path, kind: str) -> list[dict[str, str]]:
    """The rows of the result files of a kind that the receipt lists."""
    names = [part["name"] for part in report_in(folder)["parts"] if part["name"].startswith(f"{kind}-")]
    rows: list[dict[str, str]] = []
    for name in names:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows
