"""Fields of an object and what the describe call says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
    "anyType": "xsd:anyType",
    "long": "xsd:long",
    "json": "urn:json",
}
_FRACTIONAL = frozenset({"double", "currency", "percent"})
_WHOLE = frozenset({"int", "long"})
_COMPOUND = frozenset({"address", "location"})
LENGTHS = {"id": 18, "reference": 18, "string": 255, "textarea": 255, "picklist": 255, "multipicklist": 4099}
LENGTHS |= {"email": 80, "phone": 40, "url": 255, "combobox": 255, "encryptedstring": 175, "anyType": 255}
LENGTHS |= {"json": 131_072}
_NOT_FILTERED = frozenset({"base64", "encryptedstring", "json", "anyType"})
TYPES = frozenset(SOAP_TYPES) | frozenset(LENGTHS)


@dataclass(frozen=True)
class Field:
    """One field of an object, by the names that Salesforce's describe call uses.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm

    :param name: API name; one that ends in ``__c`` is a custom field.
    :param type: ``string``, ``textarea``, ``picklist``, ``multipicklist``, ``email``, ``phone``, ``url``, ``boolean``,
        ``int``, ``long``, ``double``, ``currency``, ``percent``, ``date``, ``datetime``, ``time``, ``id``,
        ``reference``, ``combobox``, ``encryptedstring``, ``json``, ``anyType`` (each record has a type of its own),
        ``base64``, or a compound whose parts name it in ``compound``: ``address``, ``location``.
    :param label: default: the name.
    :param length: characters; 0: the usual one of the type. A textarea above 255 is a long text, which no filter takes.
    :param precision: digits in all of a double, currency or percent, 1 to 18; ``org.rows`` then gives a Decimal.
        0: not said; ``org.rows`` gives a float.
    :param scale: digits after the point that Salesforce's UI keeps. The API keeps every digit that was written.
    :param reference_to: objects that a reference points to.
    :param relationship_name: the parent's name in a path, ``Account`` in ``Account.Name``.
    :param child_relationship: the children's name on the parent, ``Contacts``.
    :param compound: the compound field of which this is a part.
    :param external_id: records may be upserted, and named as parents, by it.
    :param id_lookup: the same, for a standard field; None: so for ids, names and external ids.
    :param defaulted_on_create: the org fills it in; a picklist gets its first value.
    :param picklist_labels: labels of picklist values, by value; default: the value itself.
    :param csv_as_double: whole numbers come as ``3.0`` in CSV, as real orgs do even for some int fields.
    """

    name: str
    type: str = "string"
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    calculated: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool | None = None
    name_field: bool = False
    defaulted_on_create: bool = False
    picklist_values: tuple[str, ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    child_relationship: str | None = None
    compound: str | None = None
    csv_as_double: bool = False
    picklist_labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse what no part of the simulator could keep.

        :raises ValueError: for an unknown type or more than 18 digits.
        """
        if self.type not in TYPES:
            raise ValueError(f"field {self.name}: no type {self.type!r}; there are {', '.join(sorted(TYPES))}")
        if not 0 <= self.scale <= self.precision <= 18 and self.type in _FRACTIONAL:
            raise ValueError(f"field {self.name}: precision {self.precision} and scale {self.scale} exceed 18 digits")

    @property
    def custom(self) -> bool:
        """Whether the name says that a customer made it."""
        return self.name.endswith(("__c", "__s"))

    @property
    def is_fractional(self) -> bool:
        """Whether it is a number that may have decimal places; it is stored as text."""
        return self.type in _FRACTIONAL

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.type in _FRACTIONAL | _WHOLE

    @property
    def is_compound(self) -> bool:
        """Whether it has no value of its own but parts."""
        return self.type in _COMPOUND

    @property
    def is_coordinate(self) -> bool:
        """Whether it is a part of a geolocation, which real orgs describe with 15 decimal places."""
        return self.type == "double" and not self.precision and self.compound is not None

    @property
    def is_id_lookup(self) -> bool:
        """Whether a record may be named by it."""
        if self.id_lookup is not None:
            return self.id_lookup
        return self.type == "id" or self.name_field or self.external_id

    @property
    def is_defaulted(self) -> bool:
        """Whether a new record may leave it out although it takes no null."""
        return self.defaulted_on_create or self.type == "boolean"

    @property
    def is_long_text(self) -> bool:
        """Whether it is a text that no filter, order or group may name."""
        return self.type == "textarea" and self.length > 255

    @property
    def filterable(self) -> bool:
        """Whether WHERE may name it."""
        return not (self.is_long_text or self.is_compound or self.type in _NOT_FILTERED)

    @property
    def sortable(self) -> bool:
        """Whether ORDER BY may name it."""
        return self.filterable and self.type != "multipicklist"

    @property
    def groupable(self) -> bool:
        """Whether GROUP BY may name it."""
        return self.sortable and self.type not in _FRACTIONAL | {"datetime", "time"}

    def described(self) -> dict[str, Any]:
        """Return this field's entry of ``fields`` in the describe call."""
        length = self.length or LENGTHS.get(self.type, 0)
        entry: dict[str, Any] = {
            "aggregatable": self.filterable,
            "aiPredictionField": False,
            "autoNumber": False,
            "byteLength": length if self.type in ("id", "reference") else length * 3,
            "calculated": self.calculated,
            "calculatedFormula": None,
            "cascadeDelete": False,
            "caseSensitive": False,
            "compoundFieldName": self.compound,
            "controllerName": None,
            "createable": self.createable,
            "custom": self.custom,
            "defaultValue": False if self.type == "boolean" else None,
            "defaultValueFormula": None,
            "defaultedOnCreate": self.is_defaulted,
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "digits": (self.precision or {"int": 9, "long": 18}[self.type]) if self.type in _WHOLE else 0,
            "displayLocationInDecimal": False,
            "encrypted": False,
            "externalId": self.external_id,
            "extraTypeInfo": "plaintextarea" if self.is_long_text else None,
            "filterable": self.filterable,
            "filteredLookupInfo": None,
            "formulaTreatNullNumberAsZero": False,
            "groupable": self.groupable,
            "highScaleNumber": False,
            "htmlFormatted": False,
            "idLookup": self.is_id_lookup,
            "inlineHelpText": None,
            "label": self.label or self.name,
            "length": length,
            "mask": None,
            "maskType": None,
            "name": self.name,
            "nameField": self.name_field,
            "namePointing": len(self.reference_to) > 1,
        }
        return entry | self._described_further()

    def _described_further(self) -> dict[str, Any]:
        """Return the entries from ``nillable`` on; they are in alphabetical order, as Salesforce gives them."""
        numeric = self.type in _FRACTIONAL
        plain = {"active": True, "defaultValue": False, "validFor": None}
        return {
            "nillable": self.nillable and self.type != "boolean",
            "permissionable": self.createable and self.nillable,
            "picklistValues": [
                plain | {"label": self.picklist_labels.get(value, value), "value": value}
                for value in self.picklist_values
            ],
            "polymorphicForeignKey": len(self.reference_to) > 1,
            "precision": (self.precision or 18) if numeric else 0,
            "queryByDistance": False,
            "referenceTargetField": None,
            "referenceTo": list(self.reference_to),
            "relationshipName": self.relationship_name,
            "relationshipOrder": None,
            "restrictedDelete": False,
            "restrictedPicklist": False,
            "scale": 15 if self.is_coordinate else self.scale,
            "searchPrefilterable": self.type == "reference",
            "soapType": SOAP_TYPES.get(self.type, "xsd:string"),
            "sortable": self.sortable,
            "type": self.type,
            "unique": self.unique,
            "updateable": self.updateable,
            "writeRequiresMasterRead": False,
        }
