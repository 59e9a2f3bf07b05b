"""DAGs that Airflow starts when cases or opportunities have changed."""

from __future__ import annotations

from consumers import CASES, OPPORTUNITIES, consumer  # type: ignore[import-not-found]  # beside it, as DAG files import

dags = [consumer("on_changed_cases", CASES), consumer("on_changed_opportunities", OPPORTUNITIES)]
