"""Puts deferred task instances with their triggers into Airflow's metadata, as if workers had deferred them.

``python -m tests.benchmarks.deferred_tasks COUNT POLL_INTERVAL [--sleeping]`` in the environment of that Airflow. The triggerer deletes
a trigger that no task instance waits for, so there is one task instance for each.
"""

from __future__ import annotations

import argparse

from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState

from tests.benchmarks.timed_trigger import SleepingTrigger, TimedTrigger

DAG_ID, TASK_ID = "waiting", "wait"
DAG_FILE = f"""
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
with DAG("{DAG_ID}", schedule=None):
    EmptyOperator(task_id="{TASK_ID}")
"""


def job_id(number: int) -> str:
    """The id of the job that a trigger waits for. :param number: of the trigger, from 0."""
    return f"750{number:012d}BBB"


def defer(count: int, poll_interval: float, kind: type[TimedTrigger]) -> None:
    """Insert the rows.

    :param count: how many.
    :param poll_interval: of the triggers.
    :param kind: of the triggers.
    """
    with create_session() as session:
        run = session.query(DagRun).filter_by(dag_id=DAG_ID).one()
        first = session.query(TaskInstance).filter_by(dag_id=DAG_ID, run_id=run.run_id).one()
        serialized = SerializedDagModel.get(DAG_ID, session=session)
        assert serialized is not None
        task = serialized.dag.get_task(TASK_ID)
        version = first.dag_version_id
        session.delete(first)
        session.flush()
        for number in range(count):
            instance = TaskInstance(task=task, run_id=run.run_id, map_index=number, dag_version_id=version)
            instance.trigger = Trigger.from_object(
                kind("salesforce_jwt_default", job_id(number), "66.0", poll_interval=poll_interval)
            )
            instance.state = TaskInstanceState.DEFERRED
            instance.next_method = "execute_complete"
            session.add(instance)


def main() -> None:
    """Insert the rows and say how many."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("poll_interval", type=float)
    parser.add_argument("--sleeping", action="store_true", help="triggers that only sleep")
    arguments = parser.parse_args()
    defer(arguments.count, arguments.poll_interval, SleepingTrigger if arguments.sleeping else TimedTrigger)
    print(arguments.count)


if __name__ == "__main__":
    main()
