"""What is wrong with the watched assets of a folder of DAG files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from airflow_provider_sfjwt.cli.output import can_print, print_line
from airflow_provider_sfjwt.compat.watchers import dag_bag, scheduled_assets


def check_dags(folder: str) -> bool:
    """Print what is wrong with the watched assets of a folder.

    :param folder: of DAG files, or one file.
    :return: whether that is nothing.
    """
    found = faults(folder)
    fancy, plain = ("✗", "FAIL") if found else ("✓", "ok  ")
    for fault in found or [f"the watched assets of {folder}"]:
        print_line(f"{fancy if can_print('✓✗–') else plain} {fault}")
    return not found


def faults(folder: str) -> list[str]:
    """Parse the DAG files of a folder, and look at their watched assets.

    :param folder: of DAG files, or one file.
    :return: a sentence for each fault.
    """
    found = dag_bag(folder)
    broken = [
        f"{file} cannot be parsed: {str(error).strip().splitlines()[-1]}" for file, error in found.import_errors.items()
    ]
    return [*broken, *_contradictions(list(found.dags.values()))]


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
