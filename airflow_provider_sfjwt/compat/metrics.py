"""Where Airflow takes metrics: it has moved twice, and not every process prepares it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: The options of Airflow's configuration that turn metrics on.
_OPTIONS = ("statsd_on", "statsd_datadog_enabled", "otel_on")
#: Since Airflow 3.2, and before.
_PLACES = ("airflow.sdk.observability.stats", "airflow.stats")


def airflow_stats(conf: Any) -> Any | None:
    """Airflow's metrics, with ``incr`` and ``gauge``.

    :param conf: Airflow's configuration.
    :return: None where it has metrics off.
    """
    if not any(conf.getboolean("metrics", option, fallback=False) for option in _OPTIONS):
        return None
    for place in _PLACES:
        try:
            module = import_module(place)
        except ImportError:
            continue
        return _prepared(module)
    return None


def _prepared(module: Any) -> Any:
    """What takes metrics. Since Airflow 3.2 it sends nothing before it is prepared.

    Airflow prepares the one of tasks in their workers alone. The triggerer has another one, and ``dag.test()`` none.
    """
    if hasattr(module, "initialize"):  # since Airflow 3.3
        if getattr(import_module(module.initialize.__module__), "_factory", module) is None:
            module.initialize(factory=_utilities().get_stats_factory(), export_legacy_names=False)
        return module
    stats = module.Stats
    # In Airflow 3.2 an unprepared one takes a factory that sends nothing, when it is first asked.
    if hasattr(type(stats), "initialize") and getattr(stats.factory, "__name__", None) in (None, "NoStatsLogger"):
        stats.initialize(factory=_utilities().get_stats_factory(stats))
    return stats


def _utilities() -> Any:
    return import_module("airflow.sdk.observability.metrics.stats_utils")
