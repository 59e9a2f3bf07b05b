"""Saving records as Salesforce saves them: each is checked by itself, and fails by itself."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.platform_events import stamped
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_ids
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted
from airflow_provider_sfjwt.testing.data.values import Stored, moment_text, python_value
from airflow_provider_sfjwt.testing.dml.cell_values import check_of
from airflow_provider_sfjwt.testing.dml.lookups import deleted_by_id, folded, ids_by_value, stored_rows
from airflow_provider_sfjwt.testing.dml.outcomes import Change, Outcome, RowError
from airflow_provider_sfjwt.testing.dml.row_faults import Record, RowFaults
from airflow_provider_sfjwt.testing.settings import Settings

_READ_ONLY = (
    "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is "
    "read/write for your profile or permission set."
)
_NO_RECORD = "invalid cross reference id"
_WORDS = {"insert": "create", "upsert": "upsert", "update": "update", "delete": "delete", "hardDelete": "delete"}


class Dml:
    """Makes, changes and deletes records.

    :param row_faults: locks and rules that a test has scripted.
    :param user_id: who does so.
    """

    def __init__(self, store: Store, settings: Settings, row_faults: RowFaults, user_id: str) -> None:
        self.schema = store.schema
        self.store = store
        self.settings = settings
        self.row_faults = row_faults
        self.user_id = user_id

    def save(
        self,
        sobject: SObject,
        operation: str,
        changes: Sequence[Change],
        key: Field | None = None,
        owner: str | None = None,
    ) -> list[Outcome]:
        """Save one batch of records, in one transaction; return their outcomes in the same order.

        :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
        :param key: of an upsert: the field by which records are found.
        :param owner: who gets new records; None: whoever they name, else the user.
        """
        if not sobject.writable or (sobject.is_event and operation != "insert"):
            word = _WORDS[operation]
            error = RowError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support {word}")
            return [Outcome("", errors=(error,)) for _ in changes]
        with self.store.transaction():
            return _Batch(self, sobject, operation, changes, key, owner).outcomes()


class _Batch:
    """One batch while it is saved. What it must know of present records is looked up once, for all of them."""

    def __init__(
        self,
        dml: Dml,
        sobject: SObject,
        operation: str,
        changes: Sequence[Change],
        key: Field | None,
        owner: str | None,
    ) -> None:
        self._dml = dml
        self._store = dml.store
        self._sobject = sobject
        self._operation = operation
        self._changes = changes
        self._key = key
        self._owner = owner
        self._stamp = moment_text(dml.settings.now())[:-5] + ".000Z"
        self._columns = [field.name for field in sobject.columns]
        self._places = {name: place for place, name in enumerate(self._columns)}
        self._fields = {field.name: field for field in sobject.columns}
        self._checks = {field.name: check for field in sobject.columns if (check := check_of(field)) is not None}
        self._required = [f for f in sobject.columns if not f.nillable and f.createable and f.type != "boolean"]
        self._empty: list[Stored] = [0 if field.type == "boolean" else None for field in sobject.columns]
        self._person = {"FirstName", "LastName", "Name"} <= set(self._places)
        self._updates: dict[tuple[str, ...], str] = {}
        self._ids = record_ids(sobject.key_prefix, self._store.next_number(sobject))
        self._inserts: list[list[Stored]] = []
        self._watched = dml.row_faults.concern(sobject)

    def outcomes(self) -> list[Outcome]:
        """Save every record that can be saved."""
        self._resolve_parents()
        self._look_up()
        found = [self._save(change) for change in self._changes]
        if self._inserts:
            self._store.load(self._sobject, self._columns, self._inserts)
        return found

    def _resolve_parents(self) -> None:
        """Put the ids of parents that are named by a key into the values."""
        wanted: dict[tuple[str, str], set[Stored]] = {}
        for change in self._changes:
            for parent in change.parents.values():
                wanted.setdefault((parent.parent.name, parent.target.name), set()).add(parent.key)
        if not wanted:
            return
        found: dict[tuple[str, str], dict[Stored, list[str]]] = {}
        for (name, target), keys in wanted.items():
            parent_object = self._dml.schema.get(name)
            field = next(f for f in parent_object.fields if f.name == target)
            found[name, target] = ids_by_value(self._store, parent_object, field, keys)
        for change in self._changes:
            for reference, parent in change.parents.items():
                ids = found[parent.parent.name, parent.target.name].get(folded(parent.key), [])
                where = f"for field {parent.target.name} in entity {parent.parent.name}"
                if len(ids) == 1:
                    change.values[reference] = ids[0]
                elif not ids:
                    message = f"Foreign key external ID: {parent.text} not found {where}"
                    change.error = change.error or RowError("INVALID_FIELD", message)
                else:
                    message = f"Foreign key external ID: {parent.text} matches more than one record {where}"
                    change.error = change.error or RowError("DUPLICATE_EXTERNAL_ID", message, reference)

    def _look_up(self) -> None:
        sobject, store = self._sobject, self._store
        sent = [canonical_id(str(change.values.get("Id") or "")) for change in self._changes]
        self._present = deleted_by_id(store, sobject, (record for record in sent if record))
        self._matches: dict[Stored, list[str]] = {}
        self._seen: dict[Stored, int] = {}
        key = self._key.name if self._key is not None and self._key.name != "Id" else None
        if key is not None and self._key is not None:
            keys = [change.values.get(key) for change in self._changes]
            self._matches = ids_by_value(store, sobject, self._key, keys)
            for value in map(folded, keys):
                self._seen[value] = self._seen.get(value, 0) + 1
        self._taken: dict[str, dict[Stored, str]] = {}
        for field in sobject.columns:
            if field.unique:
                values = (change.values.get(field.name) for change in self._changes)
                owners = ids_by_value(store, sobject, field, values)
                self._taken[field.name] = {value: ids[0] for value, ids in owners.items()}
        self._look_up_parents()
        self._rows: dict[str, Sequence[Stored]] = {}
        if self._watched:
            matched = (record for ids in self._matches.values() for record in ids)
            self._rows = stored_rows(store, sobject, {*self._present, *matched})

    def _look_up_parents(self) -> None:
        self._parents: dict[str, dict[str, bool]] = {}
        for field in self._sobject.columns:
            if not field.reference_to:
                continue
            ids = {
                canonical_id(str(change.values[field.name]))
                for change in self._changes
                if change.values.get(field.name)
            }
            found: dict[str, bool] = {}
            for name in field.reference_to:
                parent = self._dml.schema.find(name)
                if parent is not None and ids:
                    found |= deleted_by_id(self._store, parent, (i for i in ids if i and i[:3] == parent.key_prefix))
            self._parents[field.name] = found

    def _save(self, change: Change) -> Outcome:
        record = ""
        try:
            record = self._target(change)
            if change.error is not None:
                raise change.error
            if self._operation in ("delete", "hardDelete"):
                self._watch(record, {}, {})
                return self._delete(record)
            values = change.values
            self._check(values, record)
            if record:
                self._watch(record, values, values)
                self._update(record, values)
                return Outcome(record)
            return self._insert(values)
        except RowError as error:
            return Outcome(record, errors=(error,))

    def _target(self, change: Change) -> str:
        """Return the id of the record that a change is about, empty for a new one."""
        operation, values = self._operation, change.values
        sent = str(values.pop("Id", None) or "")
        if operation == "insert":
            if sent:
                raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
            return ""
        if operation == "upsert" and self._key is not None and self._key.name != "Id":
            if sent:
                message = f"cannot specify both an external ID reference {self._key.name} and a salesforce id"
                raise RowError("INVALID_FIELD", f"{message}, {self._sobject.name}")
            return self._by_key(self._key, values)
        if not sent:
            if operation == "upsert":
                return ""
            raise RowError("MISSING_ARGUMENT", f"Id not specified in an {operation} call")
        found = canonical_id(sent)
        label = f"{self._sobject.label} ID"
        if found is None or found[:3] != self._sobject.key_prefix:
            raise RowError("MALFORMED_ID", f"{label}: id value of incorrect type: {sent}", "Id")
        if found not in self._present:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", _NO_RECORD)
        if self._present[found]:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted")
        return found

    def _by_key(self, key: Field, values: dict[str, Stored]) -> str:
        value = folded(values.get(key.name))
        if value is None:
            raise RowError("MISSING_ARGUMENT", f"{key.name} not specified")
        if self._seen.get(value, 0) > 1:
            message = f"Duplicate external id specified: {values[key.name]}"
            raise RowError("DUPLICATE_VALUE", message, key.name)
        ids = self._matches.get(value, [])
        if len(ids) > 1:
            message = f"{key.label or key.name}: more than one record found for external id field: [{', '.join(ids)}]"
            raise RowError("DUPLICATE_EXTERNAL_ID", message, key.name)
        return ids[0] if ids else ""

    def _check(self, values: dict[str, Stored], record: str) -> None:
        fields, checks = self._fields, self._checks
        for name, value in values.items():
            field = fields[name]
            if not (field.updateable if record else field.createable):
                raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", _READ_ONLY.format(name), name)
            if value is None:
                if field.type == "boolean":
                    message = f"{field.label or name}: value not of required type: "
                    raise RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", message, name)
                continue
            if field.reference_to:
                values[name] = self._parent(field, str(value))
            elif name in checks and (error := checks[name](value)) is not None:
                raise error
        self._check_required(values, record)
        for name, taken in self._taken.items():
            value = folded(values.get(name))
            if value is not None and taken.get(value, record) != record:
                message = f"duplicate value found: {name} duplicates value on record with id: {taken[value]}"
                raise RowError("DUPLICATE_VALUE", message)

    def _check_required(self, values: dict[str, Stored], record: str) -> None:
        missing = []
        for field in self._required:
            left_out = not record and not field.is_defaulted
            absent = values[field.name] is None if field.name in values else left_out
            if absent:
                missing.append(field.name)
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise RowError("REQUIRED_FIELD_MISSING", message, *missing)

    def _parent(self, field: Field, sent: str) -> str:
        """Return the id of a parent that there is."""
        found = canonical_id(sent)
        prefixes = [p.key_prefix for name in field.reference_to if (p := self._dml.schema.find(name)) is not None]
        message = f"{field.label or field.name}: id value of incorrect type: {sent}"
        if found is None:
            raise RowError("MALFORMED_ID", message, field.name)
        if found[:3] not in prefixes:
            raise RowError("FIELD_INTEGRITY_EXCEPTION", message, field.name)
        present = self._parents[field.name]
        if found not in present:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", _NO_RECORD, field.name)
        if present[found]:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted", field.name)
        return found

    def _watch(self, record: str, values: dict[str, Stored], sent: dict[str, Stored]) -> None:
        """Ask for locks and validation rules, with the record as it would become."""
        if not self._watched:
            return
        row: dict[str, Stored] = dict(zip(self._columns, self._empty, strict=True))
        if record and record in self._rows:
            row = dict(zip(self._columns, self._rows[record], strict=True))
        row |= values
        row["Id"] = record or None
        shown: Record = {name: python_value(self._fields[name], value) for name, value in row.items()}
        error = self._dml.row_faults.locked(self._sobject, shown, sent)
        if error is None and self._operation not in ("delete", "hardDelete"):
            error = self._dml.row_faults.broken_rule(self._sobject, shown)
        if error is not None:
            raise error
        if record:
            self._rows[record] = tuple(row.values())

    def _delete(self, record: str) -> Outcome:
        self._update(record, {"IsDeleted": 1})
        self._present[record] = True
        if self._operation == "hardDelete":
            self._store.remove(self._sobject, record)
            del self._present[record]
        return Outcome(record)

    def _update(self, record: str, values: dict[str, Stored]) -> None:
        changed = {**values, "LastModifiedDate": self._stamp, "SystemModstamp": self._stamp}
        changed["LastModifiedById"] = self._dml.user_id
        table, names = quoted(self._sobject.name), tuple(changed)
        if names not in self._updates:
            assignments = ", ".join(f"{quoted(name)} = ?" for name in names)
            self._updates[names] = f"UPDATE {table} SET {assignments} WHERE Id = ?"
        self._store.write(self._updates[names], (*changed.values(), record))
        self._take(values, record)
        if self._person and ("FirstName" in values or "LastName" in values):
            whole = "trim(coalesce(FirstName || ' ', '') || coalesce(LastName, ''))"
            self._store.write(f"UPDATE {table} SET Name = {whole} WHERE Id = ?", (record,))

    def _insert(self, values: dict[str, Stored]) -> Outcome:
        made: dict[str, Stored] = {
            "CreatedDate": self._stamp,
            "LastModifiedDate": self._stamp,
            "SystemModstamp": self._stamp,
            "CreatedById": self._dml.user_id,
            "LastModifiedById": self._dml.user_id,
        }
        if "OwnerId" in self._places:
            made["OwnerId"] = self._dml.user_id
        for field in self._required:
            if field.is_defaulted and field.picklist_values:
                made[field.name] = field.picklist_values[0]
        made |= values
        if self._owner is not None and "OwnerId" in self._places:
            made["OwnerId"] = self._owner
        if self._person:
            made["Name"] = f"{made.get('FirstName') or ''} {made.get('LastName') or ''}".strip()
        self._watch("", made, values)
        event = stamped(made) if self._sobject.is_event else ""
        record = next(self._ids)
        named = self._fields.get("Name")
        if self._sobject.custom and named is not None and named.nillable and made.get("Name") is None:
            # A custom object's record without a name is called by its id.
            made["Name"] = record[:15]
        made["Id"] = record
        row = list(self._empty)
        for name, value in made.items():
            if name in self._places:  # a platform event has few of the system's fields
                row[self._places[name]] = value
        self._inserts.append(row)
        self._take(values, record)
        return Outcome(record, created=True, event=event)

    def _take(self, values: dict[str, Stored], record: str) -> None:
        """Remember the unique values of a record that was just saved."""
        for name, taken in self._taken.items():
            value = folded(values.get(name))
            if value is not None:
                taken[value] = record
