"""Airflow's metrics as they are in a worker, which prepares them, and in a triggerer, which does not: on any version."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

if find_spec("airflow.sdk.observability"):
    _module: Any = import_module("airflow.sdk.observability.stats")
    _factory: Any = import_module("airflow.sdk.observability.metrics.stats_utils").get_stats_factory
else:
    _module, _factory = import_module("airflow.stats"), None
#: Since Airflow 3.3 a module takes metrics, before a class.
_IS_MODULE = hasattr(_module, "initialize")


def prepare() -> None:
    """Do what Airflow does at the start of a worker, by its configuration."""
    if _IS_MODULE:
        _module.initialize(factory=_factory(), export_legacy_names=False)
    elif _factory:
        _module.Stats.initialize(factory=_factory(_module.Stats))
    else:  # before Airflow 3.2, when it is imported
        kind = type(_module.Stats)
        _module.Stats.instance = None
        del kind.factory
        kind.__init__(_module.Stats)


def forget() -> None:
    """Leave them as they are in a triggerer."""
    if _IS_MODULE:
        _module.initialize(factory=None, export_legacy_names=False)
    elif _factory:
        _module.Stats.initialize(factory=None)


def is_prepared() -> bool:
    """Whether a metric would be sent, were metrics on."""
    if _IS_MODULE:
        return import_module(_module.initialize.__module__)._factory is not None
    return _factory is not None and _module.Stats.factory is not None
