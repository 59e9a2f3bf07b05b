"""The one module that knows which Airflow and which Python this is, and what they do oddly.

Whatever differs between Airflow's releases, or contradicts its documentation, stands here with its reason. Everything
else of Airflow (operators, hooks, triggers, ``ObjectStoragePath``) is used directly, where it is needed.

A version is recognised by what it has, and by its number only where that cannot be seen.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from airflow.sdk.exceptions import AirflowRuntimeError

try:
    from airflow.sdk.configuration import conf
except ImportError:  # before Airflow 3.2
    from airflow.configuration import conf
try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import (  # type: ignore
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )

from airflow_provider_sfjwt.compat.attempts import TaskAttempt, task_attempt
from airflow_provider_sfjwt.compat.variables import (
    CopiedStore,
    StateNotKeptError,
    StateStore,
    TakenAlong,
    VariableStore,
)

if TYPE_CHECKING:
    from airflow.sdk import Asset, BaseHook, ObjectStoragePath
    from airflow.triggers.base import BaseTrigger
    from typing_extensions import Self

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "CopiedStore",
    "StateNotKeptError",
    "StateStore",
    "TaskAttempt",
    "VariableStore",
    "aconnection",
    "asset_state_store",
    "cached_property",
    "conf",
    "conn_id_of",
    "current_context",
    "default_deferrable",
    "discards_task_state_on_clear",
    "has_declarative_forms",
    "has_state_stores",
    "has_trigger_on_kill",
    "hook_lineage_collector",
    "place_of",
    "settling_time",
    "sql_connection_type",
    "sql_hook",
    "still_deferred",
    "task_attempt",
    "task_state_store",
]

T = TypeVar("T")
#: Seconds for which the state of a task is waited for.
_LONGEST_LOOKUP = 15.0

# -- what this Airflow has ---------------------------------------------------------------------------------------------


def has_declarative_forms() -> bool:
    """Whether Airflow reads a connection's form, and commands, from the provider's metadata: since 3.2."""
    return _release() >= (3, 2)


def has_state_stores() -> bool:
    """Whether Airflow itself keeps state for task instances and for assets: since 3.3."""
    from airflow.sdk.execution_time import context

    return hasattr(context, "TaskStateStoreAccessor")


def has_trigger_on_kill() -> bool:
    """Whether Airflow tells a trigger that somebody ended its task: since 3.3."""
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill")


def discards_task_state_on_clear() -> bool:
    """Whether a Clear discards what a task instance remembers, unless the user asks to keep it: since 3.4.

    A worker cannot see it. The argument is ``keep_task_state``:
    https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
    """
    return _release() >= (3, 4)


def _release() -> tuple[int, ...]:
    return tuple(int(number) for number in version("apache-airflow-core").split(".")[:2])


# -- configuration -----------------------------------------------------------------------------------------------------


def default_deferrable() -> bool:
    """Whether operators defer where their authors do not say: ``[operators] default_deferrable``."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def settling_time() -> float:
    """Seconds for which a deferred task stays deferred.

    A worker's supervisor may notice only at its next heartbeat that the task has deferred. If the task runs again by
    then, the scheduler of Airflow 3.3 takes that for the end of the new run, and fails it.
    """
    heartbeat: float = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return 1.2 * heartbeat


# -- secrets and connections -------------------------------------------------------------------------------------------


def sql_connection_type(conn_id: str) -> str:
    """The type of a connection.

    :param conn_id: any connection of Airflow's.
    :raises AirflowNotFoundException: when there is no such connection.
    """
    from airflow.sdk import BaseHook

    return str(BaseHook.get_connection(conn_id).conn_type)


def sql_hook(conn_id: str) -> BaseHook:
    """The hook that the provider of a connection's type makes.

    :param conn_id: any connection of Airflow's.
    :raises AirflowException: when the provider is not installed.
    """
    from airflow.sdk import BaseHook

    hook: BaseHook = BaseHook.get_hook(conn_id)
    return hook


async def aconnection(hook: BaseHook, conn_id: str) -> Any:
    """Look a connection up from an event loop.

    :param hook: that needs it.
    :param conn_id: its id.
    :raises AirflowNotFoundException: when there is no such connection.
    """
    from asgiref.sync import sync_to_async

    try:
        return await hook.aget_connection(conn_id)
    except AirflowNotFoundException:
        # `dag.test()` has no asynchronous way to a connection of the metastore in Airflow 3.3.
        return await sync_to_async(hook.get_connection)(conn_id)


# -- the task that runs, and what it remembers -------------------------------------------------------------------------


def current_context() -> Mapping[str, Any] | None:
    """The context of the task that runs, or None outside a task."""
    from airflow.sdk import get_current_context

    try:
        return get_current_context()
    except RuntimeError:
        return None


def hook_lineage_collector() -> Any | None:
    """What collects the data sets that hooks report in a task; it forgets them where nobody reads them.

    :return: None where Airflow has no such collector.
    """
    try:  # it is in Airflow itself since 3.2, and elsewhere before
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
    except ImportError:
        return None
    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
    return collector


def task_state_store(context: Mapping[str, Any], *, outlives_clear: bool = False) -> StateStore | None:
    """What the task instance remembers from one attempt to the next.

    :param context: Airflow's.
    :param outlives_clear: whether it must be there after the user has cleared the task. Then it is a
        :class:`CopiedStore` where Airflow would discard it.
    :return: None outside a task run, as in a unit test.
    """
    variables = None
    if (task := context.get("ti")) is not None:
        scope = (task.dag_id, task.run_id, task.task_id, str(task.map_index))
        name = task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
        variables = _variables("task", scope, f"task {name} of Dag {task.dag_id}, run {task.run_id}")
    own = context.get("task_state_store")
    if outlives_clear and own is not None and variables is not None and discards_task_state_on_clear():
        return CopiedStore(own, variables)
    return _with_variables(own, variables)


def asset_state_store(context: Mapping[str, Any], asset: Asset | None, uri: str) -> StateStore | None:
    """What is remembered with an asset, over all runs.

    :param context: Airflow's.
    :param asset: an asset of the task. Before Airflow 3.3 the task needs none.
    :param uri: of the asset, in one spelling.
    :return: None outside a task run, as in a unit test.
    """
    stores = context.get("asset_state_store")
    own = None if stores is None or asset is None else stores[asset]
    return _with_variables(own, _variables("asset", (uri,), f"asset {uri}"))


def place_of(store: StateStore, key: str) -> str:
    """Where a user finds a value that is remembered with an asset, to correct or delete it.

    :param store: that has it.
    :param key: of the value.
    """
    if isinstance(store, VariableStore):
        return f"the Variable '{store.name(key)}'"
    return f"the key '{key}' in the state of the asset"


def _variables(kind: str, scope: tuple[str, ...], owner: str) -> VariableStore | None:
    """Variables, where there is an Airflow to keep them."""
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    if not hasattr(task_runner, "SUPERVISOR_COMMS"):
        return None
    if not has_state_stores():
        why = f"Airflow {version('apache-airflow-core')} has no state stores, so what a retry must know is in Variables"
    elif kind == "task" and discards_task_state_on_clear():
        why = "A Clear discards what a task remembers, so that a copy is in Variables"
    else:
        why = "What an older Airflow kept may still be in Variables"
    return VariableStore(kind, scope, owner, why)


def _with_variables(store: StateStore | None, variables: VariableStore | None) -> StateStore | None:
    if store is None:
        return None if has_state_stores() else variables
    return store if variables is None else TakenAlong(store, variables)


# -- killed triggers ---------------------------------------------------------------------------------------------------


async def still_deferred(trigger: BaseTrigger) -> bool:
    """Whether the trigger's task is deferred, so that another trigger waits for the remote job.

    Airflow 3.3 calls ``on_kill`` where a user ended the task and, against its documentation, also where a triggerer
    that was not heard of for ``[triggerer] triggerer_health_check_threshold`` seconds finds that another one took its
    triggers. Before 3.3 there is ``cleanup`` alone, which also comes whenever a triggerer ends. A job that is waited
    for must not be aborted; nor one that a cleared task has picked up again by now.

    :param trigger: that is being killed.
    :return: where it cannot be told, or takes longer than 15 seconds: false from Airflow 3.3 on, since a user's action
        is then the likelier reason; true before.

    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/deferring.html
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from asgiref.sync import sync_to_async

    task = trigger.task_instance
    if task is None:
        return not has_trigger_on_kill()
    # A thread of asgiref's, from which Airflow 3.1 finds its way back to the event loop.
    lookup = sync_to_async(RuntimeTaskInstance.get_task_states)(
        dag_id=task.dag_id,
        task_ids=[task.task_id],
        run_ids=[task.run_id],
        map_index=task.map_index,
    )
    try:
        states = await asyncio.wait_for(lookup, _LONGEST_LOOKUP)
    except (AirflowRuntimeError, OSError, asyncio.TimeoutError):
        return not has_trigger_on_kill()
    return "deferred" in states.get(task.run_id, {}).values()


# -- files -------------------------------------------------------------------------------------------------------------


def conn_id_of(path: ObjectStoragePath) -> str | None:
    """The connection that a path names before its ``@``.

    :param path: on an object store.
    """
    # Before Airflow 3.2 the path has no attribute for it.
    given = path.conn_id if hasattr(path, "conn_id") else path.storage_options.get("conn_id")
    return None if given is None else str(given)


# -- Python ------------------------------------------------------------------------------------------------------------

if sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(Generic[T]):  # noqa: N801  # it stands for Python's own
        """Python's ``cached_property`` as it is since 3.12: before, all instances computed theirs under one lock.

        Extracts of many objects in the threads of one process would describe them one after another.

        :param compute: the method that computes the value.

        https://docs.python.org/3/library/functools.html#functools.cached_property
        """

        def __init__(self, compute: Callable[[Any], T]) -> None:
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        @overload
        def __get__(self, instance: None, owner: type | None = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type | None = None) -> T: ...
        def __get__(self, instance: object | None, owner: type | None = None) -> Self | T:
            """Compute the value once; from then on the instance has it as an attribute."""
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value
