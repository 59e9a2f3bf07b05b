"""Platform events: objects whose records are published and never stored, so that no query may name them.

https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/platform_events_define.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from airflow_provider_sfjwt.testing.data.fields import Field

SUFFIX = "__e"
EVENT_FIELDS = (
    Field("EventUuid", "string", "Event UUID", length=36, createable=False, updateable=False),
    Field("ReplayId", "string", "Replay ID", length=1000, createable=False, updateable=False),
)
_SYSTEM = ("CreatedDate", "CreatedById")


def event_fields(own: Iterable[Field], system_fields: Iterable[Field]) -> Iterator[Field]:
    """Yield the fields of a platform event: its own, and those that Salesforce gives it.

    :param own: that its author defined.
    :param system_fields: of any object.
    """
    yield from own
    yield from EVENT_FIELDS
    yield from (field for field in system_fields if field.name in _SYSTEM)


def stamped(values: dict[str, Any]) -> str:
    """Give an event its UUID, and return it.

    :param values: of the event, by field name.
    """
    values["EventUuid"] = made = str(uuid4())
    return made
