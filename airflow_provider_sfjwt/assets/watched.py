"""An asset that is watched: a DAG that is scheduled on it starts when something has changed in Salesforce."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, argument
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.api.event_bus.topics import missing_packages, topic_of

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from airflow.triggers.base import BaseEventTrigger

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_TOPIC = re.compile(r"/(?:data|event)/\w+", re.ASCII)
_CONN_ID = re.compile(r"[\w.-]+", re.ASCII)
#: Seconds between two looks. Each look of a stream costs an API call for five objects.
SHORTEST_INTERVAL = 5.0


def object_name(value: Any) -> str | None:
    """The API name of an object. It stands in a URI and in queries.

    :param value: what was given.
    """
    if fault := arguments.name(value):
        return fault
    return None if _NAME.fullmatch(value) else f"'{value}' is not the API name of an object"


def conn_id(value: Any) -> str | None:
    """The id of a connection. No template: nobody renders a watcher.

    :param value: what was given.
    """
    if fault := arguments.name(value):
        return fault
    return None if _CONN_ID.fullmatch(value) else f"'{value}' is not the id of a connection; templates are not rendered"


def topic_name(value: Any) -> str | None:
    """The name of a topic.

    :param value: what was given.
    """
    if fault := arguments.name(value):
        return fault
    return None if _TOPIC.fullmatch(value) else f"'{value}' is not a topic; give e.g. /data/AccountChangeEvent"


@dataclass(frozen=True, kw_only=True)
class PollSpec(OrgSpec):
    """What a polling watcher takes.

    :param sobject: the object's API name.
    :param salesforce_conn_id: the connection.
    :param where: a SOQL condition on the rows that count, or None.
    :param poll_interval: seconds from one look to the next.
    :param overlap: seconds after its stamp within which a row may be committed.
    :param include_deleted: whether rows in the recycle bin count too.
    :param min_api_calls_left: API calls that the org must have left for a look, or None.
    """

    sobject: str = argument(object_name)
    salesforce_conn_id: str = argument(conn_id, default="salesforce_jwt_default")
    where: str | None = argument(arguments.optional(arguments.condition), default=None)
    poll_interval: float = argument(arguments.number(SHORTEST_INTERVAL, 86_400, unit="seconds"), default=60)
    overlap: float = argument(arguments.number(0, 86_400, unit="seconds"), default=300)
    include_deleted: bool = argument(arguments.flag, default=False)
    min_api_calls_left: int | None = argument(arguments.optional(arguments.whole_number(1)), default=None)


@dataclass(frozen=True, kw_only=True)
class EventsSpec(OrgSpec):
    """What a watcher of the event bus takes.

    :param sobject: the object's API name, or that of a platform event.
    :param salesforce_conn_id: the connection.
    :param topic: what to subscribe to; None for the object's change events, or the platform event.
    """

    sobject: str = argument(object_name)
    salesforce_conn_id: str = argument(conn_id, default="salesforce_jwt_default")
    topic: str | None = argument(arguments.optional(topic_name), default=None)


#: The spec of each mode, and the path of its trigger.
MODES: Mapping[str, tuple[type[OrgSpec], str]] = {
    "poll": (PollSpec, "airflow_provider_sfjwt.triggers.changes.SalesforceChangesTrigger"),
    "events": (EventsSpec, "airflow_provider_sfjwt.triggers.changes.SalesforceEventsTrigger"),
}


def changes_uri(salesforce_conn_id: str, sobject: str) -> str:
    """The URI of an asset that is watched. An extract publishes another one, or its event would start its DAG again.

    :param salesforce_conn_id: the connection.
    :param sobject: the object's API name.
    """
    return f"salesforce://{salesforce_conn_id}/{sobject}/changes"


def is_watched(uri: str) -> bool:
    """Whether a URI is one of :func:`changes_uri`.

    :param uri: of an asset.
    """
    return uri.startswith("salesforce://") and uri.endswith("/changes")


def salesforce_asset(
    sobject: str, salesforce_conn_id: str = "salesforce_jwt_default", mode: str = "poll", **options: Any
) -> Asset:
    """An asset with its watcher: ``with DAG(…, schedule=salesforce_asset("Account"))``. It needs Airflow 3.3.

    Its name and its URI are ``salesforce://<conn_id>/<sObject>/changes``. Make each asset once, in a module that all
    DAG files import: Airflow removes the watcher of an asset that another file names without it.

    :param sobject: the object's API name.
    :param salesforce_conn_id: the connection.
    :param mode: ``poll``: queries at an interval. ``events``: change events and platform events, as Salesforce sends
        them; needs the packages of the extra ``events``.
    :param options: of the mode. ``events``: ``topic`` (None: that of the object) and ``api_version`` (None). ``poll``:
        ``where`` (a SOQL condition), ``poll_interval`` (seconds from one look to the next, at least 5; 60), ``overlap``
        (seconds after its stamp within which a row may be committed; 300), ``include_deleted`` (False),
        ``min_api_calls_left`` (None) and ``api_version`` (None).
    :raises ConfigurationError: for wrong arguments, and before Airflow 3.3.
    """
    from airflow.sdk import Asset, AssetWatcher

    from airflow_provider_sfjwt.compat.watchers import airflow_version, has_shared_streams

    if not has_shared_streams():
        raise ConfigurationError(
            {
                "schedule": f"watchers need Airflow 3.3 or newer, and this is {airflow_version()}. Use a schedule with "
                "SalesforceQuerySensor"
            },
            subject="salesforce_asset",
        )
    spec, path = _spec(mode, {"sobject": sobject, "salesforce_conn_id": salesforce_conn_id, **options})
    uri = changes_uri(salesforce_conn_id, sobject)
    given = {"asset_name": uri, **asdict(spec)}
    if mode == "events":
        _check_packages()
        given["topic"] = given["topic"] or topic_of(sobject)
    trigger = _trigger(path, given)
    return Asset(name=uri, uri=uri, watchers=[AssetWatcher(name=uri, trigger=trigger)])


def _check_packages() -> None:
    """Refuse a watcher of events where its packages are missing, which the triggerer needs as well."""
    if missing := missing_packages():
        fault = (
            f"'events' needs {', '.join(missing)}: install 'airflow-provider-sfjwt[events]' here and for the triggerer"
        )
        raise ConfigurationError({"mode": fault}, subject="salesforce_asset")


def _spec(mode: str, given: Mapping[str, Any]) -> tuple[OrgSpec, str]:
    """The checked arguments of a mode, and the path of its trigger."""
    if mode not in MODES:
        fault = arguments.one_of(*MODES)(mode) or ""
        raise ConfigurationError({"mode": fault}, subject="salesforce_asset")
    kind, path = MODES[mode]
    known = [each.name for each in fields(kind)]
    if unknown := [name for name in given if name not in known]:
        fault = f"is not an argument of mode '{mode}', which takes {', '.join(known)}"
        raise ConfigurationError(dict.fromkeys(unknown, fault), subject="salesforce_asset")
    spec = kind(**given)
    if faults := spec.faults():
        raise ConfigurationError(faults, subject="salesforce_asset")
    return spec, path


def _trigger(path: str, kwargs: Mapping[str, Any]) -> BaseEventTrigger:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    made: BaseEventTrigger = getattr(import_module(module), name)(**kwargs)
    return made


def changed_window(
    triggering_asset_events: Mapping[Any, Iterable[Any]], inlet_events: Mapping[Any, Any] | None = None
) -> tuple[str, str] | None:
    """The window that covers all changes for which a run was started, for ``SalesforceExtractOperator(window=…)``.

    Airflow gives a run the events up to the first that waited for it, also those of a pause. Events that it stores from
    then until it makes the run are given to the run that the next event starts. With ``inlet_events`` the window covers
    them at once.

    :param triggering_asset_events: of the run's context.
    :param inlet_events: of the context of a task that has the watched asset in its ``inlets``; None to leave such
        events to that run.
    :return: begin and end in ISO 8601, the end excluded; None where no watcher started the run, for all rows.
    """
    told = [event for events in triggering_asset_events.values() for event in events if _window(event)]
    if told and inlet_events is not None:
        last = max(event.timestamp for event in told).isoformat()
        told += (event for asset in inlet_events for event in inlet_events[asset].after(last))
    windows = [window for event in told if (window := _window(event))]
    if not windows:
        return None
    # As moments: a text with a fraction of a second sorts before the same second without one.
    return min((since for since, _ in windows), key=_moment), max((until for _, until in windows), key=_moment)


def _window(event: Any) -> tuple[str, str] | None:
    """Of an event that a watcher fired."""
    payload = (event.extra or {}).get("payload")
    if isinstance(payload, Mapping) and "since" in payload and "until" in payload:
        return payload["since"], payload["until"]
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
