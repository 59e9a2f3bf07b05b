"""The event bus: events by their topics, in the order in which they were published."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid4, uuid5

from airflow_provider_sfjwt.testing.data.platform_events import SUFFIX
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.event_bus import change_log
from airflow_provider_sfjwt.testing.event_bus.schemas import AvroSchema, header
from airflow_provider_sfjwt.testing.settings import Settings


@dataclass(frozen=True)
class BusEvent:
    """One event.

    :param replay: its place among all events.
    :param id: by which it is known.
    :param schema_id: how its payload is read.
    :param payload: in Avro.
    """

    replay: int
    id: str
    schema_id: str
    payload: bytes


class Bus:
    """What was published. Threads may share it.

    :param store: the org's records.
    :param settings: the org's clock.
    :param user_id: who writes.
    """

    def __init__(self, store: Store, settings: Settings, user_id: str) -> None:
        self._store = store
        self._settings = settings
        self._user_id = user_id
        self._lock = threading.RLock()
        self._topics: dict[str, list[BusEvent]] = {}
        self._schemas: dict[str, AvroSchema] = {}
        self._logged = 0
        self._replay = 1_000
        self._as_gaps = False
        self.oldest = 0

    def select(self, sobject: SObject) -> None:
        """Let changes of an object, or a platform event, be published from now on.

        :param sobject: the object.
        """
        with self._lock:
            self._topics.setdefault(topic_of(sobject.name), [])
            self._gather()
            change_log.watch(self._store, sobject)

    def schema_of(self, topic: str) -> AvroSchema | None:
        """The schema of a topic's next event, or None where there is no such topic.

        :param topic: its name.
        """
        with self._lock:
            if topic not in self._topics:
                return None
            name = topic.rpartition("/")[2]
            sobject = self._store.schema.get(name if name.endswith(SUFFIX) else _object_of(name))
            made = AvroSchema(name, sobject, change=not name.endswith(SUFFIX))
            return self._schemas.setdefault(made.id, made)

    def may_read(self, topic: str) -> bool:
        """Whether the user sees all records of the object whose changes a topic has.

        :param topic: its name.
        """
        name = topic.rpartition("/")[2]
        viewed = {each.lower() for each in self._settings.view_all_objects}
        return name.endswith(SUFFIX) or self._settings.view_all_data or _object_of(name).lower() in viewed

    def schema(self, schema_id: str) -> AvroSchema | None:
        """A schema by its id, or None.

        :param schema_id: its id.
        """
        return self._schemas.get(schema_id)

    def after(self, topic: str, replay: int, most: int) -> list[BusEvent]:
        """The events of a topic after one.

        :param topic: its name.
        :param replay: place of the last event that is known.
        :param most: how many.
        """
        with self._lock:
            self._gather()
            return [each for each in self._topics.get(topic, []) if each.replay > replay][:most]

    @property
    def latest(self) -> int:
        """The place of the last event of all."""
        with self._lock:
            self._gather()
            return self._replay

    def gap(self, sobject: str, kind: str, ids: list[str]) -> None:
        """Publish an event that says that changes are missing.

        :param sobject: the object.
        :param kind: ``GAP_UPDATE``, ``GAP_OVERFLOW``…
        :param ids: of the records; none for an overflow.
        """
        topic = topic_of(sobject)
        schema = self.schema_of(topic)
        if schema is None:
            raise KeyError(f"the changes of {sobject} are not published; select it first")
        with self._lock:
            self._gather()
            told = header(sobject, ids, kind, self._replay + 1, self._settings.now(), self._user_id)
            self._publish(topic, schema, schema.encode({}, told), str(uuid4()))

    def publish_gaps(self, instead: bool) -> None:
        """Publish a gap event instead of each change event from now on, as Salesforce does for what it cannot publish.

        :param instead: False: change events again.
        """
        with self._lock:
            self._gather()
            self._as_gaps = instead

    def expire(self) -> None:
        """Forget all events so far, as Salesforce does after 72 hours."""
        with self._lock:
            self._gather()
            self.oldest = self._replay
            for events in self._topics.values():
                events.clear()

    def _gather(self) -> None:
        """Publish what was written since."""
        for change in change_log.since(self._store, self._logged):
            self._logged = change.number
            topic = topic_of(change.sobject)
            schema = self.schema_of(topic)
            if schema is None:
                continue
            if change.sobject.endswith(SUFFIX):
                self._publish(topic, schema, schema.encode(change.content), change.content["EventUuid"])
                continue
            kind = f"GAP_{change.kind}" if self._as_gaps else change.kind
            at = change.at + timedelta(seconds=self._settings.clock_offset)
            told = header(change.sobject, [change.record], kind, self._replay + 1, at, self._user_id)
            values = change.content
            if self._as_gaps:
                values = {}
            elif change.kind == "UPDATE":
                told["changedFields"] = schema.bitmaps(each for each in change.changed if values[each] is not None)
                told["nulledFields"] = schema.bitmaps(each for each in change.changed if values[each] is None)
                values = {each: values[each] for each in change.changed}
            elif change.kind == "DELETE":
                values = {}
            # An org that is started again with its records publishes the same events, not others like them.
            event_id = str(uuid5(NAMESPACE_OID, f"change {change.number}"))
            self._publish(topic, schema, schema.encode(values, told), event_id)

    def _publish(self, topic: str, schema: AvroSchema, payload: bytes, event_id: str) -> None:
        self._replay += 1
        self._topics[topic].append(BusEvent(self._replay, event_id, schema.id, payload))


def topic_of(sobject: str) -> str:
    """The topic of an object's changes, or of a platform event.

    :param sobject: its name.
    """
    if sobject.endswith(SUFFIX):
        return f"/event/{sobject}"
    return f"/data/{sobject.removesuffix('__c')}{'__' if sobject.endswith('__c') else ''}ChangeEvent"


def _object_of(event: str) -> str:
    name = event.removesuffix("ChangeEvent")
    return f"{name}c" if name.endswith("__") else name
