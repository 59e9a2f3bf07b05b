"""``python -m tests.lineage.run``: run the DAG of the folder ``dags`` in this process, as ``dag.test()`` does."""

from __future__ import annotations

from pathlib import Path

if __name__ == "__main__":
    from airflow.dag_processing.dagbag import DagBag

    DagBag(str(Path(__file__).with_name("dags"))).dags["moving"].test()
