"""``python -m tests.examples.run_dag REPORT FILE RUN…``: run DAGs of a file or a folder, one after another.

A run is ``DAG_ID@DATE``, with a logical date as the scheduler and the UI give it, or ``DAG_ID!DATE``, without one as
``airflow dags trigger`` and asset events give it.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def outcome(run: Any) -> dict[str, Any]:
    """The state of a run and what its tasks returned."""
    from airflow.models.asset import AssetEvent
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        returned = XComModel.get_many(run_id=run.run_id, key="return_value", dag_ids=run.dag_id)
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id))
        return {
            "state": str(run.state),
            "returned": {row.task_id: XComModel.deserialize_value(row) for row in session.scalars(returned)},
            "events": [{"uri": event.asset.uri, "extra": event.extra} for event in events],
        }


def main(report: str, file: str, *runs: str) -> None:
    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(file).dags
    outcomes = []
    for run in runs:
        dag_id, sign, text = re.split("([@!])", run)
        date = datetime.fromisoformat(text)
        outcomes.append(outcome(dags[dag_id].test(run_after=date, logical_date=date if sign == "@" else None)))
    Path(report).write_text(json.dumps(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
