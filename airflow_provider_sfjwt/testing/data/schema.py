"""Objects of the org: the standard ones that the simulator knows, and those that a test adds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.platform_events import SUFFIX, event_fields

# Objects that the REST API knows and the Bulk API refuses with INVALIDENTITY; connectors keep lists of them.
# https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_objects.htm
NOT_IN_BULK = frozenset(
    (
        "CaseStatus",
        "ContractStatus",
        "OrderStatus",
        "PartnerRole",
        "RecentlyViewed",
        "SolutionStatus",
        "TaskPriority",
        "TaskStatus",
    )
)
_READ_ONLY = frozenset(("Organization", "Profile"))
_KEPT_BY_THE_SYSTEM = {"nillable": False, "createable": False, "updateable": False, "defaulted_on_create": True}


def _stamp(name: str, label: str) -> Field:
    return Field(name, "datetime", label, **_KEPT_BY_THE_SYSTEM)  # type: ignore[arg-type]


def _by(name: str, label: str) -> Field:
    to_user: dict[str, Any] = {"reference_to": ("User",), "relationship_name": name.removesuffix("Id")}
    return Field(name, "reference", label, **to_user, **_KEPT_BY_THE_SYSTEM)  # type: ignore[arg-type]


ID = Field("Id", "id", "Record ID", nillable=False, createable=False, updateable=False, defaulted_on_create=True)
SYSTEM_FIELDS = (
    Field("IsDeleted", "boolean", "Deleted", createable=False, updateable=False, defaulted_on_create=True),
    _stamp("CreatedDate", "Created Date"),
    _by("CreatedById", "Created By ID"),
    _stamp("LastModifiedDate", "Last Modified Date"),
    _by("LastModifiedById", "Last Modified By ID"),
    _stamp("SystemModstamp", "System Modstamp"),
)


@dataclass(frozen=True)
class SObject:
    """One object: its name and its fields in the order in which the describe call lists them.

    :param name: API name, in its canonical spelling.
    :param key_prefix: first three characters of its record ids.
    :param fields: all of them, ``Id`` and the system fields included.
    :param bulk: whether Bulk API queries may name it.
    :param queryable: whether any query may name it.
    :param replicateable: whether ``getDeleted()`` and ``getUpdated()`` take it.
    :param hidden: fields that field-level security hides from the user.
    """

    name: str
    key_prefix: str
    fields: tuple[Field, ...]
    label: str = ""
    label_plural: str = ""
    bulk: bool = True
    queryable: bool = True
    replicateable: bool = True
    hidden: tuple[Field, ...] = ()

    def field(self, name: str) -> Field | None:
        """Return the field of that name in any case, or None."""
        wanted = name.lower()
        return next((field for field in self.fields if field.name.lower() == wanted), None)

    def relationship(self, name: str) -> Field | None:
        """Return the reference field whose relationship has that name in any case, or None."""
        wanted = name.lower()
        return next((f for f in self.fields if f.relationship_name and f.relationship_name.lower() == wanted), None)

    def parts(self, compound: Field) -> dict[str, Field]:
        """Return the fields of which a compound field is made, by their keys in its JSON object."""
        return {
            _part_key(compound, field): field
            for field in self.fields
            if field.compound == compound.name and field is not compound
        }

    @property
    def custom(self) -> bool:
        """Whether the name says that a customer made it."""
        return self.name.endswith("__c")

    @property
    def mergeable(self) -> bool:
        """Whether its records may be merged."""
        return self.field("MasterRecordId") is not None

    @property
    def writable(self) -> bool:
        """Whether records of it may be made, changed and deleted."""
        return self.is_event or (self.queryable and self.name not in NOT_IN_BULK and self.name not in _READ_ONLY)

    @property
    def is_event(self) -> bool:
        """Whether its records are platform events, which are published and cannot be queried."""
        return self.name.endswith(SUFFIX)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that hold a value of their own, which compounds do not."""
        return tuple(field for field in self.fields if not field.is_compound)


def _part_key(compound: Field, part: Field) -> str:
    """Return ``city`` of ``BillingCity``, ``latitude`` of ``Place__Latitude__s``."""
    prefix = compound.name.removesuffix("Address") if compound.type == "address" else ""
    name = part.name.removesuffix("__s").rpartition("__")[2] if part.name.endswith("__s") else part.name
    name = name.removeprefix(prefix)
    return name[0].lower() + name[1:]


def with_parts(fields: Iterable[Field]) -> Iterator[Field]:
    """Yield fields, and before a custom geolocation its two coordinates where they are not among them."""
    own = list(fields)
    names = {field.name.lower() for field in own}
    for field in own:
        stem = field.name.removesuffix("__c")
        for part in ("Latitude", "Longitude") if field.type == "location" and field.custom else ():
            if f"{stem}__{part}__s".lower() not in names:
                yield Field(f"{stem}__{part}__s", "double", compound=field.name)
        yield field


class Schema:
    """All objects of the org, found by name in any case.

    :param objects: what to begin with.
    :param now: the org's clock; None: this machine's.
    """

    def __init__(self, objects: Iterable[SObject], now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(timezone.utc))
        self._objects: dict[str, SObject] = {}
        self._changed: dict[str, datetime] = {}
        for found in objects:
            self._put(found)

    def __iter__(self) -> Iterator[SObject]:
        return iter(list(self._objects.values()))

    def find(self, name: str) -> SObject | None:
        """Return the object of that name in any case, or None."""
        return self._objects.get(name.lower())

    def get(self, name: str) -> SObject:
        """Return the object of that name in any case.

        :raises KeyError: where there is none.
        """
        found = self.find(name)
        if found is None:
            raise KeyError(f"the org has no object {name!r}; it has {', '.join(o.name for o in self)}")
        return found

    def changed(self, sobject: SObject) -> datetime:
        """Return when what the user may see of an object last changed."""
        return self._changed[sobject.name.lower()]

    def _put(self, sobject: SObject) -> SObject:
        self._objects[sobject.name.lower()] = sobject
        self._changed[sobject.name.lower()] = self._now()
        return sobject

    def define(
        self,
        name: str,
        fields: Iterable[Field],
        label: str,
        key_prefix: str | None,
        bulk: bool,
        replicateable: bool = True,
    ) -> SObject:
        """Add an object with ``Id``, a ``Name`` unless the fields have one, the fields and the system fields.

        :raises ValueError: where the org has the object already.
        """
        if self.find(name):
            raise ValueError(f"the org has an object {name} already")
        own = tuple(with_parts(fields))
        event = name.endswith(SUFFIX)
        if not event and not any(field.name_field for field in own):
            own = (Field("Name", length=80, name_field=True), *own)
        every = tuple(event_fields(own, SYSTEM_FIELDS)) if event else (*own, *SYSTEM_FIELDS)
        prefix = key_prefix or self._free_prefix()
        bulk = bulk and name not in NOT_IN_BULK
        texts = (label or name, f"{label or name}s")
        return self._put(
            SObject(
                name,
                prefix,
                (ID, *every),
                *texts,
                bulk=bulk,
                queryable=not event,
                replicateable=replicateable,
            )
        )

    def _free_prefix(self) -> str:
        """Return a key prefix that no object has; those of custom objects begin with ``a``, later ones with ``b``…"""
        taken = {known.key_prefix for known in self}
        letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        found = ("".join(prefix) for prefix in itertools.product(letters, digits, digits))
        return next(prefix for prefix in found if prefix not in taken)

    def with_field(self, name: str, field: Field) -> SObject:
        """Add a field to an object.

        :raises ValueError: where the object has it already.
        """
        known = self.get(name)
        if known.field(field.name):
            raise ValueError(f"{known.name} has a field {field.name} already")
        return self._put(replace(known, fields=(*known.fields, *with_parts([field]))))

    def without_field(self, name: str, field_name: str) -> SObject:
        """Take a field away.

        :raises KeyError: where the object has no such field.
        """
        known, gone = self._found(name, field_name)
        return self._put(replace(known, fields=tuple(f for f in known.fields if f is not gone)))

    def hide(self, name: str, field_name: str) -> SObject:
        """Hide a field from everybody, as field-level security does.

        :raises KeyError: where the object has no such field.
        """
        _, hidden = self._found(name, field_name)
        left = self.without_field(name, field_name)
        return self._put(replace(left, hidden=(*left.hidden, hidden)))

    def show(self, name: str, field_name: str) -> SObject:
        """Show a hidden field again, as the last one.

        :raises KeyError: where no such field is hidden.
        """
        known = self.get(name)
        shown = next((field for field in known.hidden if field.name.lower() == field_name.lower()), None)
        if shown is None:
            raise KeyError(f"{known.name} hides no field {field_name!r}")
        hidden = tuple(field for field in known.hidden if field is not shown)
        return self._put(replace(known, fields=(*known.fields, shown), hidden=hidden))

    def with_type(self, name: str, field: Field) -> SObject:
        """Describe a field anew.

        :raises KeyError: where the object has no such field.
        """
        known, old = self._found(name, field.name)
        return self._put(replace(known, fields=tuple(field if f is old else f for f in known.fields)))

    def _found(self, name: str, field_name: str) -> tuple[SObject, Field]:
        known = self.get(name)
        found = known.field(field_name)
        if found is None:
            raise KeyError(f"{known.name} has no field {field_name!r}")
        return known, found

    def children(self, parent: str) -> list[tuple[SObject, Field]]:
        """Return the (object, reference field) pairs that point to an object."""
        return [(child, field) for child in self for field in child.fields if parent in field.reference_to]
