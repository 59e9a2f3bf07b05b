"""What is wrong with the watched assets of a folder of DAG files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_sfjwt.compat.watchers import dag_bag, scheduled_assets
from airflow_provider_sfjwt.doctor.watching import Watched


class WatchedDags:
    """The DAG files of a folder, parsed.

    :param folder: of DAG files, or one file.
    """

    def __init__(self, folder: str) -> None:
        found = dag_bag(folder)
        self._dags: list[Any] = list(found.dags.values())
        broken = [
            f"{file} cannot be parsed: {str(error).strip().splitlines()[-1]}"
            for file, error in found.import_errors.items()
        ]
        #: A sentence for each thing that is wrong with their watched assets.
        self.faults = [*broken, *_contradictions(self._dags)]

    def watched(self, conn_id: str | None) -> list[Watched]:
        """What the watchers of a connection watch, each once.

        :param conn_id: the connection.
        """
        found = []
        for dag in self._dags:
            for asset in _watched_assets(dag):
                for watcher in asset.watchers:
                    kwargs = watcher.trigger.serialize()[1]
                    if kwargs.get("salesforce_conn_id") == conn_id:
                        found.append(_watched(kwargs))
        return list(dict.fromkeys(found))


def _watched(kwargs: Mapping[str, Any]) -> Watched:
    """What the trigger of a watcher looks at."""
    if "topic" in kwargs:
        return Watched(kwargs["sobject"], kwargs["topic"])
    return Watched(kwargs["sobject"], None, kwargs["where"], kwargs["include_deleted"])


def _contradictions(dags: list[Any]) -> Iterator[str]:
    """Assets that one file names with another watcher than another file, or without one."""
    named: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for dag in dags:
        for asset in _watched_assets(dag):
            watchers = tuple(sorted(repr(each.trigger.serialize()) for each in asset.watchers))
            known = named[asset.uri].get(dag.fileloc)
            named[asset.uri][dag.fileloc] = watchers if known is None else min(known, watchers)
    for uri, files in sorted(named.items()):
        first = next((file for file, watchers in sorted(files.items()) if watchers), None)
        for file, watchers in sorted(files.items()):
            if first is None:
                yield f"{file} names {uri}, which nothing watches. Make the asset by salesforce_asset()."
            elif watchers != files[first]:
                yield (
                    f"{file} names {uri} {'with another watcher than' if watchers else 'without the watcher of'} "
                    f"{first}. Airflow removes the watcher and makes it again each time that it parses one of them. "
                    "Make the asset once by salesforce_asset(), in a module that both files import."
                )


def _watched_assets(dag: Any) -> Iterator[Any]:
    from airflow.sdk import Asset

    named = scheduled_assets(dag)
    for task in dag.tasks:
        named += [each for each in (*task.inlets, *task.outlets) if isinstance(each, Asset)]
    for asset in named:
        if asset.uri.startswith("salesforce://") and asset.uri.endswith("/changes"):
            yield asset
