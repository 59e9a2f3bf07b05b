"""The asset of an extracted object, and the events that say that it was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ConfigurationError

_SCHEME = "salesforce://"
_ALIAS = 'outlets=[AssetAlias("salesforce")]'


class TaskWithAssets(Protocol):
    """What is asked of an operator here.

    :param inlets: the assets that it reads, or whose state it keeps.
    :param outlets: the assets that Airflow reports when it succeeds.
    """

    inlets: Any
    outlets: Any

    @property
    def dag_id(self) -> str:
        """The DAG."""

    @property
    def task_id(self) -> str:
        """The task, with the groups that it is in."""


def uri_of(conn_id: str, sobject: str) -> str:
    """The URI of an object's asset.

    :param conn_id: the connection's id. A slash or an at sign in it is written as ``%2F`` or ``%40``.
    :param sobject: the object.
    """
    return f"{_SCHEME}{quote(conn_id, safe=':!()')}/{sobject}"


def asset_of(assets: Sequence[Any], conn_id: str, sobject: str) -> Any | None:
    """An object's asset among those of a task.

    :param assets: the task's inlets or outlets.
    :param conn_id: the connection's id.
    :param sobject: the object.
    :return: None where it is not among them.
    """
    from airflow.sdk import Asset

    # Salesforce takes the names of objects in upper and lower case.
    folder, _, name = Asset(uri=uri_of(conn_id, sobject)).uri.rpartition("/")
    for each in assets:
        its_folder, _, its_name = str(getattr(each, "uri", "")).rpartition("/")
        if (its_folder, its_name.lower()) == (folder, name.lower()):
            return each
    return None


class PublishedEvents:
    """The asset events of one task instance.

    Airflow emits an event of every concrete asset in ``outlets`` for every instance that succeeds. An ``AssetAlias``
    there emits what it is filled with, so that an event is of the object that this instance has published.

    :param task: the operator, whose inlets and outlets count. An asset of the object among the inlets gets the event
        under its own name.
    :param conn_id: the connection's id.
    :param sobject: the object that is extracted; None where it is not known, and then no event names it.
    :param emit_empty: whether an extract without rows emits an event.

    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/assets.html
    """

    def __init__(self, task: TaskWithAssets, conn_id: str, sobject: str | None, *, emit_empty: bool) -> None:
        self._inlets = task.inlets
        self._outlets = task.outlets
        self._conn_id = conn_id
        self._sobject = sobject
        self._emit_empty = emit_empty

    def check(self, *, mapped: bool) -> None:
        """Refuse outlets by which Airflow would report what did not happen.

        :param mapped: whether the task is an instance of a mapped one.
        :raises ConfigurationError: naming the outlets.
        """
        emitted = [uri for each in self._outlets if (uri := str(getattr(each, "uri", ""))).startswith(_SCHEME)]
        own = asset_of(self._outlets, self._conn_id, self._sobject or "")
        others = [uri for uri in emitted if own is None or uri != own.uri]
        if mapped and others:
            raise _fault(
                f"set {_ALIAS} and move {others[0]} and the like to inlets. Airflow emits an event of each asset in "
                "outlets for every instance of a mapped task; the alias is filled with the object that was published"
            )
        if emitted and not self._emit_empty:
            raise _fault(
                f"set {_ALIAS} and move {emitted[0]} to inlets. Airflow emits an event of an asset in outlets whether "
                "there are rows or not, against emit_empty=False"
            )

    def emit(self, context: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Emit the event of a published object, where the task has an outlet for it.

        :param context: Airflow's.
        :param summary: what the task returns; it becomes the event's ``extra``.
        """
        from airflow.sdk import Asset, AssetAlias

        events = context.get("outlet_events")
        if events is None or self._sobject is None:
            return
        concrete = asset_of(self._outlets, self._conn_id, self._sobject)
        if concrete is not None:  # Airflow emits it anyway
            events[concrete].extra = dict(summary)
        elif self._emit_empty or summary["records"]:
            asset = asset_of(self._inlets, self._conn_id, self._sobject)
            asset = asset or Asset(uri=uri_of(self._conn_id, self._sobject))
            for alias in self._outlets:
                if isinstance(alias, AssetAlias):
                    events[alias].add(asset, extra=dict(summary))


def _fault(text: str) -> ConfigurationError:
    return ConfigurationError({"outlets": text}, subject="the task")
