"""What watchers need of Airflow: streams that triggers share, and the state of assets. Both are there from 3.3 on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow.sdk import Asset


class AssetStore(Protocol):
    """What is remembered with an asset, asked for from an event loop."""

    async def aget(self, key: str) -> Any:
        """The value, or None.

        :param key: of the value.
        """

    async def aset(self, key: str, value: Any) -> None:
        """Store a value.

        :param key: of the value.
        :param value: JSON, and not None.
        """


def asset_store(name: str) -> AssetStore:
    """What is remembered with an asset, from anywhere in a triggerer.

    Airflow gives a trigger the state of its own assets; the stream that triggers share has none.

    :param name: of the asset.
    """
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor

    store: AssetStore = AssetStateStoreAccessor(name=name)
    return store


def has_shared_streams() -> bool:
    """Whether triggers can share a stream that is told when their events are stored."""
    from airflow.triggers.base import BaseEventTrigger

    return hasattr(BaseEventTrigger, "create_shared_stream_producer")


def airflow_version() -> str:
    """The version of Airflow, for people."""
    return version("apache-airflow-core")


def dag_bag(folder: str) -> Any:
    """Parse DAG files. Before Airflow 3.2 the class has another place, and takes another argument.

    :param folder: of DAG files, or one file.
    :return: with ``dags`` by their ids, and ``import_errors`` by file.
    """
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    return DagBag(folder)


def scheduled_assets(dag: Any) -> list[Asset]:
    """The assets that a DAG is scheduled on, in any combination.

    :param dag: the DAG as its file made it.
    """
    from airflow.sdk import Asset

    def within(condition: Any) -> Iterator[Asset]:
        if isinstance(condition, Asset):
            yield condition
        for part in getattr(condition, "objects", ()):
            yield from within(part)

    return list(within(getattr(dag.timetable, "asset_condition", None)))
