"""Merges into Delta tables that die at a chosen moment, in processes of their own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from tests.tables.killed_merges import processes

#: What deltalake does for a merge that creates its table, and for one that finds it.
CALLS = ("create", "execute", "write")


def _mortal(call: Callable[..., Any], moment: str, seconds: float) -> Callable[..., Any]:
    """A call during which the process is killed.

    :param call: the call.
    :param moment: ``before``, ``within`` or ``after`` it.
    :param seconds: how long after its beginning, where it is ``within``.
    """

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def run(*positional: Any, **named: Any) -> Any:
        if moment == "before":
            die()
        if moment == "within":
            threading.Timer(seconds, die).start()
        result = call(*positional, **named)
        if moment == "after":
            die()
        return result

    return run


def _die(environment: dict[str, str], call: str, moment: str, seconds: float, arguments: dict[str, Any]) -> None:
    os.environ.update(environment)
    import deltalake
    from deltalake.table import TableMerger

    from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator

    places: dict[str, tuple[Any, str]] = {
        "create": (deltalake.DeltaTable, "create"),
        "execute": (TableMerger, "execute"),
        "write": (deltalake, "write_deltalake"),
    }
    owner, name = places[call]
    setattr(owner, name, _mortal(getattr(owner, name), moment, seconds))
    SalesforceToDeltaOperator(task_id="merge", **arguments).execute({})  # type: ignore[typeddict-item]


def killed(call: str, moment: str, arguments: dict[str, Any], seconds: float = 0.0) -> bool:
    """Merge in a process that is killed.

    :param call: one of :data:`CALLS`.
    :param moment: ``before``, ``within`` or ``after`` it.
    :param arguments: of the operator.
    :param seconds: how long after its beginning, where it is ``within``.
    :return: whether it was killed; false where it ended well before that.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
    process = processes().Process(target=_die, args=(environment, call, moment, seconds, arguments))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0
