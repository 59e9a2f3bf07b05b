"""Whether the user of a connection may see the changes of what is watched, as a watcher would find out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_provider_sfjwt.doctor.verdicts import Finding, failed, verdict_on
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, SalesforceError, TransportError
from airflow_provider_sfjwt.salesforce.api.changes import Window, rows_of
from airflow_provider_sfjwt.salesforce.api.event_bus.topics import check_topic, missing_packages, topic_of
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.event_bus import check_is_offered, open_event_bus

_STEP = "event bus"


@dataclass(frozen=True)
class Watched:
    """What a watcher watches.

    :param sobject: the object's API name, or that of a platform event.
    :param topic: that is subscribed to, or None for one that polls.
    :param where: the condition of one that polls, or None.
    :param include_deleted: whether one that polls looks at rows in the recycle bin too.
    """

    sobject: str
    topic: str | None = None
    where: str | None = None
    include_deleted: bool = False

    @classmethod
    def named(cls, name: str) -> Watched:
        """What ``mode="events"`` watches.

        :param name: the API name of an object or of a platform event, or a topic, e.g. ``/data/Sales__chn``.
        """
        return cls(name, name if name.startswith("/") else topic_of(name))


def watching_findings(org: ConnectedOrg, settings: ConnectionSettings, watched: Sequence[Watched]) -> Iterator[Finding]:
    """Look at each thing that is watched. A finding that is missing ends nothing.

    :param org: that the user is signed in to.
    :param settings: what the connection says.
    :param watched: what is watched.
    """
    for each in watched:
        if each.topic is None:
            yield _polled(org, each)
    topics = list(dict.fromkeys(each.topic for each in watched if each.topic is not None))
    if not topics:
        return
    if missing := missing_packages():
        detail = f"Change events need {', '.join(missing)}, which this machine has not"
        yield failed(_STEP, detail, "install 'airflow-provider-sfjwt[events]' here and for the triggerer")
        return
    try:
        check_is_offered(settings, "the connection")
        yield from asyncio.run(_topics(org, settings, topics))
    except SalesforceError as error:
        yield _bus(error, settings)


def _polled(org: ConnectedOrg, watched: Watched) -> Finding:
    """Ask as the watcher asks, for no time at all."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    window = Window(watched.sobject, watched.where, watched.include_deleted, now, now, 1)
    try:
        (found,) = org.run(rows_of, [window])
    except SalesforceError as error:
        return verdict_on(watched.sobject, error, None)
    if isinstance(found, ApiError):
        said = found.items[0] if found.items else None
        text = f"{said.code}: {said.message}" if said else ""
        return failed(
            watched.sobject,
            f"Salesforce refuses the query of a watcher of {watched.sobject}",
            found.remedy or "check sobject and where, and give the user Read on the object",
            found.setup_page,
            said=text,
        )
    return Finding(watched.sobject, True, f"Changes of {watched.sobject} can be polled")


async def _topics(org: ConnectedOrg, settings: ConnectionSettings, topics: Sequence[str]) -> list[Finding]:
    findings = []
    async with open_event_bus(settings, org.token()) as bus:
        for topic in topics:
            try:
                await check_topic(bus, topic)
            except ApiError as error:
                said = "; ".join(f"{item.code}: {item.message}" for item in error.items)
                cause = error.brief or "the event bus refuses a request of this user"
                detail = f"{cause[:1].upper()}{cause[1:]}: the topic {topic} cannot be read"
                findings.append(failed(_name(topic), detail, error.remedy, error.setup_page, said=said))
            else:
                findings.append(Finding(_name(topic), True, f"The user may read {topic}"))
    return findings


def _name(topic: str) -> str:
    return topic.rpartition("/")[2]


def _bus(error: SalesforceError, settings: ConnectionSettings) -> Finding:
    """Why the event bus as a whole cannot be used."""
    if isinstance(error, ConfigurationError):
        return failed(_STEP, error.summary)
    if isinstance(error, TransportError):
        remedy = "let this machine and the triggerer's connect to it, through firewall and proxy: it speaks gRPC"
        return failed(_STEP, f"{settings.event_bus} is not reached", remedy, said=f"{error.code}: {error.said}")
    return verdict_on(_STEP, error, settings)
