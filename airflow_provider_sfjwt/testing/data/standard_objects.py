"""The objects that every simulated org has, with the shapes that make trouble in real ones."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import ID, NOT_IN_BULK, SYSTEM_FIELDS, SObject

_INDUSTRIES = ("Agriculture", "Banking", "Energy", "Technology")
_STAGES = ("Prospecting", "Qualification", "Closed Won", "Closed Lost")


def _owner() -> Field:
    to_user: dict[str, Any] = {"reference_to": ("User",), "relationship_name": "Owner"}
    return Field("OwnerId", "reference", "Owner ID", nillable=False, defaulted_on_create=True, **to_user)


def _to(name: str, parent: str, relationship: str, children: str | None = None) -> Field:
    return Field(name, "reference", reference_to=(parent,), relationship_name=relationship, child_relationship=children)


def _master(sobject: str) -> Field:
    """Return the field that names the record into which a deleted one was merged."""
    to_master: dict[str, Any] = {"reference_to": (sobject,), "relationship_name": "MasterRecord"}
    return Field("MasterRecordId", "reference", "Master Record ID", createable=False, updateable=False, **to_master)


def _address(prefix: str) -> tuple[Field, ...]:
    whole = f"{prefix}Address"
    return (
        Field(f"{prefix}Street", "textarea", length=255, compound=whole),
        Field(f"{prefix}City", length=40, compound=whole),
        Field(f"{prefix}State", length=80, compound=whole),
        Field(f"{prefix}PostalCode", length=20, compound=whole),
        Field(f"{prefix}Country", length=80, compound=whole),
        Field(f"{prefix}Latitude", "double", compound=whole),
        Field(f"{prefix}Longitude", "double", compound=whole),
        Field(f"{prefix}GeocodeAccuracy", "picklist", compound=whole, picklist_values=("Address", "Street", "Unknown")),
        Field(whole, "address", createable=False, updateable=False),
    )


def _person() -> tuple[Field, ...]:
    return (
        Field("LastName", length=80, nillable=False),
        Field("FirstName", length=40),
        Field("Name", length=121, name_field=True, createable=False, updateable=False, id_lookup=False),
        Field("Title", length=128),
        Field("Email", "email", id_lookup=True),
        Field("Phone", "phone"),
    )


def _sobject(name: str, prefix: str, label: str, plural: str, *fields: Field, bulk: bool = True) -> SObject:
    bulk = bulk and name not in NOT_IN_BULK
    return SObject(name, prefix, (ID, *fields, *SYSTEM_FIELDS), label, plural, bulk)


def _organization() -> SObject:
    texts: tuple[str, ...] = (
        "Street",
        "City",
        "State",
        "PostalCode",
        "Country",
        "Phone",
        "InstanceName",
        "OrganizationType",
    )
    texts += ("NamespacePrefix", "DefaultLocaleSidKey", "LanguageLocaleKey", "TimeZoneSidKey")
    return _sobject(
        "Organization",
        "00D",
        "Organization",
        "Organizations",
        Field("Name", length=80, name_field=True, nillable=False, id_lookup=False),
        *(Field(text, length=80) for text in texts),
        Field("IsSandbox", "boolean"),
        Field("TrialExpirationDate", "datetime"),
        bulk=False,
    )


def _user() -> SObject:
    texts = ("Alias", "CommunityNickname", "TimeZoneSidKey", "LocaleSidKey", "LanguageLocaleKey", "EmailEncodingKey")
    return _sobject(
        "User",
        "005",
        "User",
        "Users",
        Field("Username", length=80, nillable=False, unique=True, id_lookup=True),
        *_person(),
        *(Field(text, length=40) for text in texts),
        _to("ProfileId", "Profile", "Profile"),
        Field("UserType", "picklist", picklist_values=("Standard",)),
        Field("IsActive", "boolean"),
        Field("LastViewedDate", "datetime", createable=False, updateable=False),
    )


def _account() -> SObject:
    return _sobject(
        "Account",
        "001",
        "Account",
        "Accounts",
        _master("Account"),
        Field("Name", length=255, name_field=True, nillable=False, id_lookup=False),
        Field("Type", "picklist", picklist_values=("Customer", "Partner", "Prospect")),
        _to("ParentId", "Account", "Parent", "ChildAccounts"),
        *_address("Billing"),
        Field("Phone", "phone"),
        Field("Website", "url"),
        Field("Industry", "picklist", picklist_values=_INDUSTRIES),
        Field("AnnualRevenue", "currency"),
        # Real orgs answer "3.0" for this int in Bulk results now and then; here always.
        Field("NumberOfEmployees", "int", csv_as_double=True),
        Field("Description", "textarea", length=32000),
        Field("AccountNumber", length=40),
        _owner(),
        Field("Email__c", "email"),
        Field("CreditLimit__c", "currency", precision=18, scale=2),
        Field("Score__c", "double", precision=18, scale=4),
        Field("Locations__c", "double", precision=18, scale=0),
        Field("Discount__c", "percent", precision=5, scale=2),
        Field("Visits__c", "int"),
        Field("Active__c", "boolean"),
        Field("CustomerSince__c", "date"),
        Field("LastVisit__c", "datetime"),
        Field("Regions__c", "multipicklist", picklist_values=("North", "East", "South", "West")),
    )


def _contact() -> SObject:
    return _sobject(
        "Contact",
        "003",
        "Contact",
        "Contacts",
        _master("Contact"),
        _to("AccountId", "Account", "Account", "Contacts"),
        *_person(),
        Field("MobilePhone", "phone"),
        Field("Birthdate", "date"),
        Field("Description", "textarea", length=32000),
        _owner(),
        _to("ReportsToId", "Contact", "ReportsTo"),
        Field("ExternalKey__c", length=40, external_id=True, unique=True),
    )


def _opportunity() -> SObject:
    return _sobject(
        "Opportunity",
        "006",
        "Opportunity",
        "Opportunities",
        _to("AccountId", "Account", "Account", "Opportunities"),
        Field("Name", length=120, name_field=True, nillable=False, id_lookup=False),
        Field("Description", "textarea", length=32000),
        Field("StageName", "picklist", nillable=False, picklist_values=_STAGES),
        Field("Amount", "currency", precision=18, scale=2),
        Field("Probability", "percent", precision=3, scale=0),
        Field("CloseDate", "date", nillable=False),
        Field("IsClosed", "boolean", createable=False, updateable=False, calculated=True),
        Field("NextStep", length=255),
        _owner(),
        Field("external_id__c", length=60, external_id=True, unique=True),
    )


def _lead() -> SObject:
    return _sobject(
        "Lead",
        "00Q",
        "Lead",
        "Leads",
        _master("Lead"),
        *_person(),
        Field("Company", length=255, nillable=False),
        Field(
            "Status",
            "picklist",
            nillable=False,
            defaulted_on_create=True,
            picklist_values=("Open", "Working", "Closed"),
        ),
        Field("NumberOfEmployees", "int"),
        _owner(),
    )


def _invoice() -> SObject:
    return _sobject(
        "Invoice__c",
        "a00",
        "Invoice",
        "Invoices",
        _owner(),
        Field("Name", length=80, name_field=True),
        Field("InvoiceKey__c", length=40, external_id=True, unique=True),
        _to("Account__c", "Account", "Account__r", "Invoices__r"),
        Field("IssuedOn__c", "date"),
        Field("PaidAt__c", "datetime"),
        Field("CutOff__c", "time"),
        Field("Units__c", "double", precision=18, scale=0),
        Field("Total__c", "double", precision=18, scale=4),
        Field("Ratio__c", "double"),
        Field("Paid__c", "boolean"),
        Field("Notes__c", "textarea", length=131072),
    )


def _attachment() -> SObject:
    return _sobject(
        "Attachment",
        "00P",
        "Attachment",
        "Attachments",
        _to("ParentId", "Account", "Parent", "Attachments"),
        Field("Name", length=255, name_field=True, nillable=False, id_lookup=False),
        Field("ContentType", length=120),
        Field("BodyLength", "int", createable=False, updateable=False),
        Field("Body", "base64", nillable=False),
        bulk=False,
    )


def _case_status() -> SObject:
    # No part of the Bulk API takes it, and REST does: a reader that always asks the Bulk API fails here.
    return _sobject(
        "CaseStatus",
        "01J",
        "Case Status Value",
        "Case Status Values",
        Field("MasterLabel", length=255),
        Field("ApiName", length=255),
        Field("SortOrder", "int"),
        Field("IsDefault", "boolean"),
        Field("IsClosed", "boolean"),
    )


CASE_STATUSES: tuple[dict[str, Any], ...] = (
    {"MasterLabel": "New", "ApiName": "New", "SortOrder": 1, "IsDefault": True, "IsClosed": False},
    {"MasterLabel": "Working", "ApiName": "Working", "SortOrder": 2, "IsDefault": False, "IsClosed": False},
    {"MasterLabel": "Escalated", "ApiName": "Escalated", "SortOrder": 3, "IsDefault": False, "IsClosed": False},
    {"MasterLabel": "Closed", "ApiName": "Closed", "SortOrder": 4, "IsDefault": False, "IsClosed": True},
)


def _owner_or_queue() -> Field:
    to_owner: dict[str, Any] = {"reference_to": ("Group", "User"), "relationship_name": "Owner"}
    return Field("OwnerId", "reference", "Owner ID", nillable=False, defaulted_on_create=True, **to_owner)


def _activity(name: str, prefix: str, *fields: Field) -> SObject:
    related = ("Account", "Case", "Opportunity")
    return _sobject(
        name,
        prefix,
        name,
        f"{name}s",
        Field("WhoId", "reference", "Name ID", reference_to=("Contact", "Lead"), relationship_name="Who"),
        Field("WhatId", "reference", "Related To ID", reference_to=related, relationship_name="What"),
        Field("Subject", "combobox", picklist_values=("Call", "Email", "Other")),
        *fields,
        Field("Description", "textarea", length=32000),
        _owner_or_queue(),
        _to("AccountId", "Account", "Account", f"{name}s"),
    )


def _task() -> SObject:
    return _activity(
        "Task",
        "00T",
        Field("ActivityDate", "date"),
        Field("Status", "picklist", nillable=False, defaulted_on_create=True, picklist_values=("Open", "Completed")),
        Field("Priority", "picklist", nillable=False, defaulted_on_create=True, picklist_values=("Normal", "High")),
    )


def _event() -> SObject:
    return _activity("Event", "00U", Field("StartDateTime", "datetime"), Field("DurationInMinutes", "int"))


def _case() -> SObject:
    statuses = ("New", "Working", "Escalated", "Closed")
    return _sobject(
        "Case",
        "500",
        "Case",
        "Cases",
        _master("Case"),
        Field("CaseNumber", length=30, name_field=True, createable=False, updateable=False, id_lookup=False),
        _to("AccountId", "Account", "Account", "Cases"),
        _to("ContactId", "Contact", "Contact", "Cases"),
        Field("Subject", length=255),
        Field(
            "Status",
            "picklist",
            nillable=False,
            defaulted_on_create=True,
            picklist_values=statuses,
            picklist_labels={"Working": "In Arbeit", "Closed": "Geschlossen"},
        ),
        Field("Origin", "picklist", picklist_values=("Email", "Phone", "Web")),
        Field("Description", "textarea", length=32000),
        _owner_or_queue(),
    )


def _group() -> SObject:
    types = ("Queue", "Regular")
    return _sobject(
        "Group",
        "00G",
        "Group",
        "Groups",
        Field("Name", length=40, name_field=True, nillable=False, id_lookup=False),
        Field("Type", "picklist", picklist_values=types),
    )


def _profile() -> SObject:
    name = Field("Name", length=255, name_field=True, nillable=False, id_lookup=False)
    return _sobject("Profile", "00e", "Profile", "Profiles", name)


def _name() -> SObject:
    """Return the object that a path over a lookup of several objects leads to; it has no records of its own.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_name.htm
    """
    texts = ("Name", "FirstName", "LastName", "Alias", "Email", "Phone", "Title", "Username")
    fields = (
        ID,
        *(Field(text, length=255, createable=False, updateable=False, name_field=text == "Name") for text in texts),
        Field("Type", "picklist", createable=False, updateable=False),
        Field("IsActive", "boolean", createable=False, updateable=False),
        _to("ProfileId", "Profile", "Profile"),
        Field("LastReferencedDate", "datetime", createable=False, updateable=False),
        Field("LastViewedDate", "datetime", createable=False, updateable=False),
    )
    return SObject("Name", "", fields, "Name", "Names", bulk=False, queryable=False)


def standard_objects() -> tuple[SObject, ...]:
    """Return the objects of every org."""
    return (
        _organization(),
        _user(),
        _account(),
        _contact(),
        _opportunity(),
        _lead(),
        _invoice(),
        _attachment(),
        _case_status(),
        _task(),
        _event(),
        _case(),
        _group(),
        _profile(),
        _name(),
    )
