"""Another file, whose DAG Airflow starts when the same asset has changed."""

from __future__ import annotations

from consumers import CASES, consumer  # type: ignore[import-not-found]  # beside it, as DAG files import

dag = consumer("also_on_changed_cases", CASES)
