"""Where Airflow takes metrics: it has moved twice, and not every process prepares it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: The options of Airflow's configuration that turn metrics on.
_OPTIONS = ("statsd_on", "statsd_datadog_enabled", "otel_on")
#: Since Airflow 3.3, in Airflow 3.2, and before.
_PLACES = ("airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats")


def airflow_stats(conf: Any) -> Any | None:
    """Airflow's metrics, with ``incr`` and ``gauge``.

    :param conf: Airflow's configuration.
    :return: None where it has metrics off.
    """
    if not any(conf.getboolean("metrics", option, fallback=False) for option in _OPTIONS):
        return None
    for place in _PLACES:
        try:
            found: Any = import_module(place)
        except ImportError:
            continue
        return _prepared(found) if hasattr(found, "initialize") else found.Stats
    return None


def _prepared(stats: Any) -> Any:
    """The module of Airflow 3.3, which sends nothing before it is prepared.

    Airflow prepares the one of tasks in their workers alone. The triggerer has another one, and ``dag.test()`` none.
    """
    if getattr(import_module(stats.initialize.__module__), "_factory", stats) is None:
        utilities = import_module("airflow.sdk.observability.metrics.stats_utils")
        stats.initialize(factory=utilities.get_stats_factory(), export_legacy_names=False)
    return stats
