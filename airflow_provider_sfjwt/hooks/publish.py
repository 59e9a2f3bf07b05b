"""Platform events: what a task publishes, and what became of each event."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, argument
from airflow_provider_sfjwt.exceptions import ErrorItem, SalesforceError, counted
from airflow_provider_sfjwt.salesforce.api.collections import MOST_RECORDS
from airflow_provider_sfjwt.salesforce.api.platform_events import PublishedEvent, publish_events
from airflow_provider_sfjwt.salesforce.api.row_errors import is_retriable
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

_EVENT = re.compile(r"\w+__e", re.ASCII)
#: Refused events of which a message shows the reasons.
_SHOWN = 3
#: The allocation of an hour is used up, or the event bus is not there: both pass.
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
_LATER = frozenset({"LIMIT_EXCEEDED", "PLATFORM_EVENT_PUBLISHING_UNAVAILABLE", "PLATFORM_EVENT_PUBLISH_FAILED"})
#: Ids made here are in a namespace of their own.
_OUR_IDS = uuid.UUID("7a0c8f0e-6d0b-4bb7-9c55-6b1f3c8f2f5e")


def event_name(value: Any) -> str | None:
    """The API name of a platform event.

    :param value: what was given.
    """
    if fault := arguments.name(value):
        return fault
    if _EVENT.fullmatch(value):
        return None
    return f"'{value}' is not the API name of a platform event, which ends in __e, e.g. Order__e"


def list_of_events(value: Any) -> str | None:
    """Events, each a dict of its fields.

    :param value: what was given.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return "must be a list of dicts, one for each event"
    wrong = next((place for place, each in enumerate(value) if not isinstance(each, Mapping) or not each), None)
    if wrong is not None:
        return f"must hold a dict with the fields of each event; the one at position {wrong} is not one, or is empty"
    try:
        json.dumps(list(value))
    except (TypeError, ValueError) as fault:
        return f"holds a value that JSON does not have: {fault}. Write moments as text in ISO 8601"
    return None


@dataclass(frozen=True, kw_only=True)
class PublishSpec(OrgSpec):
    """What a task publishes.

    :param event: the API name of the platform event.
    :param events: the events.
    :param id_field: a text field of the event that takes an id by which subscribers know an event again, or None.
    :param scope: what publishes. Not an argument: the task instance, so that another attempt gives the same ids.
    """

    event: str = argument(event_name)
    events: Sequence[Mapping[str, Any]] = argument(list_of_events)
    id_field: str | None = argument(arguments.optional(arguments.name), default=None)
    scope: str = ""

    def identified(self) -> list[dict[str, Any]]:
        """The events, each with an id where ``id_field`` names a field for it and the event has none yet.

        The id depends on the task instance, the event's content, and how many with the same content came before it:
        another attempt that has the same event gives it the same id, also where it has others besides.
        """
        events = [dict(each) for each in self.events]
        if self.id_field is None:
            return events
        before: Counter[str] = Counter()
        for each in events:
            content = json.dumps(each, sort_keys=True)
            if not each.get(self.id_field):
                known = json.dumps([self.scope or str(uuid.uuid4()), content, before[content]])
                each[self.id_field] = str(uuid.uuid5(_OUR_IDS, known))
            before[content] += 1
        return events


def published(org: ConnectedOrg, spec: PublishSpec) -> list[dict[str, Any]]:
    """Publish events, 200 in a call.

    :param org: where.
    :param spec: the events.
    :return: of each event, in their order: ``accepted``, ``uuid`` (the ``EventUuid`` that subscribers see), ``id``
        (what ``id_field`` has, or None) and ``errors`` (each with ``code``, ``message`` and ``fields``).
    :raises SalesforceError: when a call failed; its message says how many events were accepted before.
    """
    events, results = spec.identified(), list[dict[str, Any]]()
    for start in range(0, len(events), MOST_RECORDS):
        batch = events[start : start + MOST_RECORDS]
        try:
            answers = org.run(publish_events, spec.event, batch)
        except SalesforceError as error:
            accepted = sum(each["accepted"] for each in results)
            where = f"events {start + 1:,} to {start + len(batch):,} of {len(events):,}"
            said = f"{error} ({where}; {counted(accepted, 'event')} before them accepted)"
            raise error.with_message(said, retryable=error.retryable) from None
        ids = [each.get(spec.id_field) if spec.id_field else None for each in batch]
        results += [_result(answer, known) for answer, known in zip(answers, ids, strict=True)]
    return results


def check_all_accepted(spec: PublishSpec, results: Sequence[Mapping[str, Any]]) -> None:
    """Let pass what was accepted whole.

    :param spec: the events.
    :param results: what became of each.
    :raises SalesforceError: when Salesforce refused some. It is retryable where every reason may pass.
    """
    refused = [(place, each) for place, each in enumerate(results) if not each["accepted"]]
    if not refused:
        return
    shown = "; ".join(f"position {place}: {_reasons(each)}" for place, each in refused[:_SHOWN])
    more = "; …" if len(refused) > _SHOWN else ""
    passing = all(_passes(each) for _, each in refused)
    raise SalesforceError(
        f"{spec.event}: Salesforce refused {counted(len(refused), 'event')} of {len(results):,} ({shown}{more})",
        remedy=(
            "A retry publishes all of them again, with the same ids where id_field is given."
            if passing
            else "Correct these events. The others are published."
        ),
        retryable=passing,
    )


def _result(answer: PublishedEvent, known: str | None) -> dict[str, Any]:
    errors = [{"code": item.code, "message": item.message, "fields": list(item.fields)} for item in answer.errors]
    return {"accepted": answer.accepted, "uuid": answer.uuid, "id": known, "errors": errors}


def _passes(result: Mapping[str, Any]) -> bool:
    """Whether every reason for which an event was refused may be gone later."""
    items = [ErrorItem(each["code"], each["message"]) for each in result["errors"]]
    return bool(items) and all(item.code in _LATER or is_retriable(item) for item in items)


def _reasons(result: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['code']}: {each['message']}" for each in result["errors"]) or "no reason given"
