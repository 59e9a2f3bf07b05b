"""Who wrote a receipt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from airflow_provider_sfjwt.files.data_sets.receipt import Writer

TASK = {"dag_id": "dag", "run_id": "run", "task_id": "group.task"}


@pytest.mark.parametrize(("index", "told"), [(None, -1), (-1, -1), (0, 0), (7, 7)])
def test_a_task_instance(index: int | None, told: int) -> None:
    assert Writer.of({"ti": SimpleNamespace(**TASK, map_index=index)}) == Writer("dag", "run", "group.task", told)


@pytest.mark.parametrize("context", [{}, {"ti": None}, {"ti": MagicMock()}, {"ti": SimpleNamespace(task_id="task")}])
def test_what_stands_for_one_in_the_test_of_a_dag(context: dict[str, Any]) -> None:
    assert Writer.of(context) is None


def test_rivals_are_others_of_the_same_run() -> None:
    writer = Writer("dag", "run", "task", 0)
    assert not writer.rivals(None)
    assert not writer.rivals(writer)
    assert not writer.rivals(Writer("dag", "another run", "task", 1))
    assert not writer.rivals(Writer("another dag", "run", "task", 1))
    assert writer.rivals(Writer("dag", "run", "task", 1))
    assert writer.rivals(Writer("dag", "run", "another task", 0))
