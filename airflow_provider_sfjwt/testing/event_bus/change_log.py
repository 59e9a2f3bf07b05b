"""What happened to the records of chosen objects, written by SQLite itself with each write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted

_TABLE = (
    'CREATE TABLE IF NOT EXISTS "change log" (n INTEGER PRIMARY KEY AUTOINCREMENT, sobject TEXT, id TEXT, kind TEXT, '
    "changed TEXT, content TEXT, at INTEGER)"
)
#: Milliseconds since 1970 by this machine's clock.
_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@dataclass(frozen=True)
class Change:
    """One write of one record.

    :param number: grows with each write.
    :param sobject: name of the object.
    :param record: its id.
    :param kind: ``CREATE``, ``UPDATE``, ``DELETE`` or ``UNDELETE``.
    :param changed: names of the columns that changed.
    :param content: the values as they were stored then, by column.
    :param at: when it was committed, by this machine's clock.
    """

    number: int
    sobject: str
    record: str
    kind: str
    changed: tuple[str, ...]
    content: dict[str, Any]
    at: datetime


def watch(store: Store, sobject: SObject) -> None:
    """Let each write of an object's records be logged from now on.

    :param store: the org's records.
    :param sobject: the object.
    """
    table, name = quoted(sobject.name), sobject.name.replace("'", "''")
    columns = [field.name for field in sobject.columns if field.name != "Id"]
    content = " || ',' || ".join(f"'\"{each}\":' || json_quote(NEW.{quoted(each)})" for each in columns)
    changed = " || ".join(
        f"CASE WHEN OLD.{quoted(each)} IS NOT NEW.{quoted(each)} THEN '{each} ' ELSE '' END" for each in columns
    )
    kind = (
        "CASE WHEN NEW.IsDeleted > OLD.IsDeleted THEN 'DELETE' WHEN NEW.IsDeleted < OLD.IsDeleted THEN 'UNDELETE' "
        "ELSE 'UPDATE' END"
    )
    into = 'INSERT INTO "change log" (sobject, id, kind, changed, content, at) VALUES'
    store.write(_TABLE, ())
    for suffix, event, what, which in (
        ("made", "INSERT", "'CREATE'", "''"),
        ("changed", "UPDATE", kind, changed),
    ):
        trigger = quoted(f"{sobject.name} {suffix}")
        store.write(f"DROP TRIGGER IF EXISTS {trigger}", ())  # the object may have another field now
        store.write(
            f"CREATE TRIGGER {trigger} AFTER {event} ON {table} BEGIN "
            f"{into} ('{name}', NEW.Id, {what}, {which}, '{{' || {content} || '}}', {_NOW}); END",
            (),
        )


def since(store: Store, number: int) -> Iterator[Change]:
    """Yield the writes after one.

    :param store: the org's records.
    :param number: of the last one that is known.
    """
    if not store.select("SELECT 1 FROM sqlite_master WHERE name = 'change log'"):
        return
    rows = store.select(
        'SELECT n, sobject, id, kind, changed, content, at FROM "change log" WHERE n > ? ORDER BY n LIMIT 5000',
        [number],
    )
    for found, sobject, record, kind, changed, content, at in rows:
        when = datetime.fromtimestamp(at / 1000, timezone.utc)
        yield Change(found, sobject, record, kind, tuple(str(changed).split()), json.loads(content), when)
