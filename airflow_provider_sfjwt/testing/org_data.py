"""What a test does to the objects and the records of an org."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.dml.merge import merge
from airflow_provider_sfjwt.testing.services import Services
from airflow_provider_sfjwt.testing.settings import Settings


class OrgData:
    """The part of a :class:`SimulatedOrg` that is about its data."""

    _schema: Schema
    _store: Store
    _services: Services
    _settings: Settings
    user_id: str

    def define_object(
        self,
        name: str,
        fields: Iterable[Field],
        *,
        label: str = "",
        key_prefix: str | None = None,
        bulk: bool = True,
        replicateable: bool = True,
    ) -> SObject:
        """Add an object; ``Id``, system fields and, unless given, ``Name`` come by themselves.

        :param name: API name; one that ends in ``__c`` is a custom object, in ``__e`` a platform event.
        :param label: default: the name.
        :param key_prefix: first three characters of its record ids; None: one that no other object has.
        :param bulk: whether the Bulk API may name it; never so for those that it refuses in every org, such as
            ``TaskStatus``.
        :param replicateable: whether the resources ``deleted`` and ``updated`` serve it.
        :raises ValueError: where there is one of that name.
        """
        made = self._schema.define(name, fields, label, key_prefix, bulk, replicateable)
        self._store.make_table(made)
        return made

    def add_field(self, sobject: str, field: Field) -> None:
        """Add a field to an object; present rows have null there, or false, and keep their SystemModstamp.

        :raises KeyError: for an unknown object.
        :raises ValueError: where the object has it already.
        """
        self._store.make_table(self._schema.with_field(sobject, field))

    def hide_field(self, sobject: str, field: str) -> None:
        """Hide a field from the user, as field-level security does: it looks as if it were not there.

        :raises KeyError: where the object has no such field.
        """
        self._schema.hide(sobject, field)

    def show_field(self, sobject: str, field: str) -> None:
        """Show a hidden field again, with the values that it had; no SystemModstamp changes.

        :raises KeyError: where no such field is hidden.
        """
        self._store.make_table(self._schema.show(sobject, field))

    def drop_field(self, sobject: str, field: str) -> None:
        """Delete a field and its values; no SystemModstamp changes.

        :raises KeyError: where the object has no such field.
        """
        self._store.drop_column(self._schema.get(sobject), self._schema.without_field(sobject, field))

    def retype_field(self, sobject: str, field: Field) -> None:
        """Give a field another type; values that the new type cannot hold become null, no SystemModstamp changes.

        :param field: with the name that it has.
        :raises KeyError: where the object has no such field.
        """
        self._store.retype_column(self._schema.get(sobject), self._schema.with_type(sobject, field), field)

    def insert(self, sobject: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Insert records of Python values by field name and return their ids.

        ``Id``, ``CreatedDate``, ``SystemModstamp``, owner and authors are filled in where absent.

        :raises KeyError: for an unknown object.
        :raises ValueError: for an unknown field or a value that it cannot take.
        """
        self._services.ingest.settle()
        return self._store.insert(self._schema.get(sobject), rows, self._settings.now(), self.user_id)

    def update(self, sobject: str, record: str, values: Mapping[str, Any]) -> None:
        """Change one record and its SystemModstamp.

        :param record: its id, 15 or 18 characters.
        :param values: Python values by field name.
        :raises TypeError: for several ids.
        :raises KeyError: for an unknown object, or where there is no such record.
        :raises ValueError: for an unknown field or a value that it cannot take.
        """
        if not isinstance(record, str):
            raise TypeError(f"record takes the id of one record as text, not {record!r}; call it once for each record")
        self._services.ingest.settle()
        found = self._schema.get(sobject)
        if not self._store.update(found, canonical_id(record) or "", values, self._settings.now()):
            raise KeyError(f"{found.name} has no record {record!r}")

    def recalculate(self, sobject: str, record: str, values: Mapping[str, Any]) -> None:
        """Give formula fields of one record other values, as where what they are computed from changes.

        Its SystemModstamp stays, as that of a real record does when a parent changes, or the day:
        https://docs.databricks.com/gcp/en/ingestion/lakeflow-connect/salesforce-formula-fields

        :param record: its id, 15 or 18 characters.
        :param values: Python values by field name, of fields that are calculated.
        :raises KeyError: for an unknown object, or where there is no such record.
        :raises ValueError: for a field that is not calculated, or a value that it cannot take.
        """
        found = self._schema.get(sobject)
        for name in values:
            field = found.field(name)
            if field is None or not field.calculated:
                raise ValueError(f"{found.name}.{name} is not a formula field")
        if not self._store.recalculate(found, canonical_id(record) or "", values):
            raise KeyError(f"{found.name} has no record {record!r}")

    def delete(self, sobject: str, record: str, when: datetime | None = None) -> None:
        """Put one record into the recycle bin, where only ``queryAll`` sees it.

        :param record: its id, 15 or 18 characters.
        :param when: its new SystemModstamp; one in the past is a transaction that was long under way. None: now.
        :raises TypeError: for several ids.
        :raises KeyError: for an unknown object, or where there is no such record.
        """
        stamps = {} if when is None else {"SystemModstamp": when, "LastModifiedDate": when}
        self.update(sobject, record, {"IsDeleted": True} | stamps)

    def undelete(self, sobject: str, record: str) -> None:
        """Take one record out of the recycle bin; its SystemModstamp changes, and it was never merged.

        :param record: its id, 15 or 18 characters.
        :raises KeyError: for an unknown object, or where no such record lies in the recycle bin.
        """
        found = self._deleted(sobject, record)
        left = {"MasterRecordId": None} if found.field("MasterRecordId") else {}
        self.update(sobject, record, {"IsDeleted": False} | left)

    def purge(self, sobject: str, record: str) -> None:
        """Delete one record of the recycle bin for good; only the resource ``deleted`` still knows its id.

        :param record: its id, 15 or 18 characters.
        :raises KeyError: for an unknown object, or where no such record lies in the recycle bin.
        """
        self._store.remove(self._deleted(sobject, record), canonical_id(record) or "")

    def merge(self, sobject: str, master: str, losers: Iterable[str]) -> None:
        """Merge one or two records into a master: they go to the recycle bin with its id as their ``MasterRecordId``.

        Records that point to a loser point to the master afterwards.

        :param master: the id of the record that stays; its SystemModstamp changes.
        :param losers: ids of one or two others.
        :raises KeyError: for an unknown object or record.
        :raises ValueError: for an object without ``MasterRecordId``, or another number of records.
        """
        self._services.ingest.settle()
        merge(self._store, self._schema.get(sobject), master, list(losers), self._settings.now())

    def trim_delete_log(self) -> None:
        """Forget every id that the resource ``deleted`` would give, as Salesforce does when its log grows large."""
        self._store.trim_delete_log(self._settings.now())

    def rows(self, sobject: str) -> list[dict[str, Any]]:
        """Return all records of an object, deleted ones included, as Python values by field name.

        Loads that are queued are processed first.

        :raises KeyError: for an unknown object.
        """
        self._services.ingest.settle()
        return self._store.rows(self._schema.get(sobject))

    def _deleted(self, sobject: str, record: str) -> SObject:
        self._services.ingest.settle()
        found = self._schema.get(sobject)
        if not self._store.is_in_recycle_bin(found, canonical_id(record) or ""):
            raise KeyError(f"{found.name} has no record {record!r} in the recycle bin")
        return found
