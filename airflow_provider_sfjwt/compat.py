"""Whether the remote job of a trigger that Airflow kills is waited for by another one."""

from __future__ import annotations

import asyncio

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseTrigger


async def still_deferred(trigger: BaseTrigger) -> bool:
    """Whether the trigger's task is deferred, so that another trigger waits for the remote job.

    Airflow 3.3 calls ``on_kill`` where a user ended the task and, against its documentation, also where a triggerer
    that was not heard of for ``[triggerer] triggerer_health_check_threshold`` seconds finds that another one took its
    triggers. A job that is waited for must not be aborted; nor one that a cleared task has picked up again by now.

    :param trigger: that is being killed.
    :return: false also where it cannot be told: a user's action is then the likelier reason.

    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/deferring.html
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    task = trigger.task_instance
    if task is None:
        return False
    try:
        states = await asyncio.to_thread(
            RuntimeTaskInstance.get_task_states,
            dag_id=task.dag_id,
            task_ids=[task.task_id],
            run_ids=[task.run_id],
            map_index=task.map_index,
        )
    except AirflowRuntimeError:
        return False
    return "deferred" in states.get(task.run_id, {}).values()
