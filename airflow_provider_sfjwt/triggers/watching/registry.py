"""Which assets the watchers of this process watch, by the stream that they share.

Airflow opens a stream with the arguments of its first watcher, and tells it nothing of those that join or leave later.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

W = TypeVar("W")
C = TypeVar("C")


@dataclass(frozen=True, eq=False)
class Watch(Generic[W]):
    """One watcher that listens to a stream. Each is another one, also where the same asset is watched again.

    :param asset_name: of the asset.
    :param what: is watched.
    """

    asset_name: str
    what: W


class Registry(Generic[W]):
    """The watchers of a process."""

    def __init__(self) -> None:
        self._streams: dict[Hashable, dict[str, Watch[W]]] = {}

    def join(self, stream: Hashable, watch: Watch[W]) -> None:
        """Begin to watch. The last watcher of an asset counts.

        :param stream: the key of the stream.
        :param watch: the watcher.
        """
        self._streams.setdefault(stream, {})[watch.asset_name] = watch

    def leave(self, stream: Hashable, watch: Watch[W]) -> None:
        """End to watch.

        :param stream: the key of the stream.
        :param watch: the watcher; nothing happens where another one took its place.
        """
        watches = self._streams.get(stream, {})
        if watches.get(watch.asset_name) is watch:
            del watches[watch.asset_name]

    def of(self, stream: Hashable) -> list[Watch[W]]:
        """The watchers of a stream.

        :param stream: the key of the stream.
        """
        return list(self._streams.get(stream, {}).values())


@dataclass(eq=False)
class Occurrence(Generic[W, C]):
    """An event on its way to its watcher.

    :param watch: whom it is for.
    :param payload: what the watcher fires; None for nothing, where only the stream goes on.
    :param commit: what is stored when Airflow has the event.
    :param taken: whether the watcher has fired it. Airflow counts an event as accepted where others saw it alone.
    """

    watch: Watch[W]
    payload: dict[str, Any] | None
    commit: C
    taken: bool = False
