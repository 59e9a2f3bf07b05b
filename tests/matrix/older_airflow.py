"""What lets tests that are written for a new Airflow run on an older one."""

from __future__ import annotations

import importlib
import importlib.util


def know_names_of_airflow_3_2() -> None:
    """Let tests import what Airflow has moved from where it is since 3.2.

    The package is imported first, so that it does not see the names in their new place.
    """
    if importlib.util.find_spec("airflow.sdk.configuration") is not None:
        return
    importlib.import_module("airflow_provider_sfjwt.compat")
    old, new = importlib.import_module("airflow.exceptions"), importlib.import_module("airflow.sdk.exceptions")
    for name in ("AirflowException", "AirflowFailException", "AirflowNotFoundException", "TaskDeferred"):
        setattr(new, name, getattr(old, name))
    importlib.import_module("airflow.sdk").serde = importlib.import_module("airflow.serialization.serde")  # type: ignore[attr-defined]
    # Tests keep assets and aliases as keys, which Airflow 3.1 does not allow.
    assets = importlib.import_module("airflow.sdk")
    assets.Asset.__hash__ = lambda asset: hash(asset.uri)
    assets.AssetAlias.__hash__ = lambda alias: hash(alias.name)
