"""Who wrote a receipt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from airflow_provider_sfjwt.files.storage.receipts import Writer

TASK = {"dag_id": "dag", "run_id": "run", "task_id": "group.task"}


@pytest.mark.parametrize(("index", "told"), [(None, -1), (-1, -1), (0, 0), (7, 7)])
def test_a_task_instance(index: int | None, told: int) -> None:
    assert Writer.of({"ti": SimpleNamespace(**TASK, map_index=index)}) == Writer("dag", "run", "group.task", told)


@pytest.mark.parametrize("context", [{}, {"ti": None}, {"ti": MagicMock()}, {"ti": SimpleNamespace(task_id="task")}])
def test_what_stands_for_one_in_the_test_of_a_dag(context: dict[str, Any]) -> None:
    assert Writer.of(context) is None


def test_another_task_instance_of_the_same_run_conflicts() -> None:
    writer = Writer("dag", "run", "task", 0)
    assert not writer.conflicts_with(None)
    assert not writer.conflicts_with(writer)
    assert not writer.conflicts_with(Writer("dag", "another run", "task", 1))
    assert not writer.conflicts_with(Writer("another dag", "run", "task", 1))
    assert writer.conflicts_with(Writer("dag", "run", "task", 1))
    assert writer.conflicts_with(Writer("dag", "run", "another task", 0))
