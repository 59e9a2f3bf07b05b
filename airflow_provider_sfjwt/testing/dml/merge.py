"""Merging records of one object into one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted
from airflow_provider_sfjwt.testing.data.values import moment_text

_MOST_LOSERS = 2


def merge(store: Store, sobject: SObject, master: str, losers: Sequence[str], now: datetime) -> None:
    """Merge records: losers are deleted and name their master, their children become the master's.

    Every record that changes gets a new SystemModstamp; LastModifiedDate is of the master and the losers alone.

    :raises KeyError: where a record is not there, or deleted.
    :raises ValueError: for an object that is not mergeable, or another number of losers than one or two.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_merge.htm
    """
    if not sobject.mergeable:
        raise ValueError(f"records of {sobject.name} cannot be merged: it has no field MasterRecordId")
    if not 1 <= len(losers) <= _MOST_LOSERS:
        raise ValueError(f"a merge takes 1 or {_MOST_LOSERS} records beside the master, not {len(losers)}")
    ids = [canonical_id(each) or each for each in (master, *losers)]
    table = quoted(sobject.name)
    with store.transaction():
        for record in ids:
            if not store.select(f"SELECT 1 FROM {table} WHERE Id = ? AND IsDeleted = 0", [record]):
                raise KeyError(f"{sobject.name} has no record {record!r}")
        for loser in ids[1:]:
            store.update(sobject, loser, {"IsDeleted": True, "MasterRecordId": ids[0]}, now)
            _reparent(store, sobject, loser, ids[0], moment_text(now))
        store.update(sobject, ids[0], {}, now)


def _reparent(store: Store, parent: SObject, loser: str, master: str, stamp: str) -> None:
    for child, field in store.schema.children(parent.name):
        if field.name == "MasterRecordId" or not child.queryable:
            continue
        name = quoted(field.name)
        sql = f"UPDATE {quoted(child.name)} SET {name} = ?, SystemModstamp = ? WHERE {name} = ? AND Id <> ?"
        store.write(sql, (master, stamp, loser, loser))
