"""What loads do with single rows: values, refusals, parents, keys."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.testing import Field

MISSING = "003000000000000AAA"


def one(org, sobject="Contact"):
    """Return the newest record."""
    return org.rows(sobject)[-1]


@pytest.fixture
def known(org):
    """Make a contact and return its id."""
    return org.insert("Contact", [{"LastName": "Known", "ExternalKey__c": "k-0", "Phone": "1"}])[0]


@pytest.mark.parametrize(
    ("header", "cells", "error"),
    [
        ("LastName,Birthdate", "x,2003-04-987", "INVALID_FIELD:Failed to deserialize field at col 1. Due to, '2003-04-987' is not a valid value for the type xsd:date:Birthdate --"),
        ("LastName,Birthdate", "x,2003-02-30", "INVALID_FIELD:"),
        ("LastName,Birthdate", "x,2003-02-03T00:00:00Z", "INVALID_FIELD:"),
        ("FirstName", "x", "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"),
        ("LastName", "#N/A", "REQUIRED_FIELD_MISSING:"),
        ("LastName", "x" * 81, "STRING_TOO_LONG:LastName: data value too large: " + "x" * 81 + " (max length=80):LastName --"),
        ("LastName,Email", "x,nobody", "INVALID_EMAIL_ADDRESS:Email: invalid email address: nobody:Email --"),
        ("LastName,AccountId", "x,001", "MALFORMED_ID:AccountId: id value of incorrect type: 001:AccountId --"),
        ("LastName,AccountId", f"x,{MISSING}", f"FIELD_INTEGRITY_EXCEPTION:AccountId: id value of incorrect type: {MISSING}:AccountId --"),
        ("LastName,AccountId", "x,001000000000000AAA", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:AccountId --"),
        ("LastName,ExternalKey__c", "x,K-0", "DUPLICATE_VALUE:duplicate value found: ExternalKey__c duplicates value on record with id: "),
        ("LastName,CreatedDate", "x,2024-01-01T00:00:00Z", "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings"),
        ("LastName,Id", f"x,{MISSING}", "INVALID_FIELD_FOR_INSERT_UPDATE:cannot specify Id in an insert call:Id --"),
        ("LastName,Account.Id", "x,001", "MALFORMED_ID:"),
    ],
)  # fmt: skip
def test_rows_that_are_refused(org, api, known, header, cells, error):
    before = org.rows("Contact")
    (found,) = api.refusals("Contact", "insert", f"{header}\n{cells}\n")
    assert found.startswith(error)
    assert found.endswith("--")
    assert org.rows("Contact") == before


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("Score__c", "12345678901234.5", None),
        ("Score__c", "123456789012345", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Score__c", "1e300", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Score__c", '"1,000"', "INVALID_FIELD"),
        ("Score__c", "NaN", "INVALID_FIELD"),
        ("AnnualRevenue", "1e999", "INVALID_FIELD"),
        ("LastVisit__c", "0001-01-01T00:00:00+01:00", "INVALID_FIELD"),
        ("LastVisit__c", "1000-01-01T00:00:00+02:00", "FIELD_INTEGRITY_EXCEPTION"),
        ("Visits__c", "3.0", "INVALID_FIELD"),
        ("Visits__c", "2147483648", "INVALID_FIELD"),
        ("Active__c", "maybe", "INVALID_FIELD"),
        ("Active__c", "#N/A", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("LastVisit__c", "2024-01-01", "INVALID_FIELD"),
        ("LastVisit__c", "2024-01-01T25:00:00Z", "INVALID_FIELD"),
        ("LastVisit__c", "2024-01-01T10:00:00", "INVALID_FIELD"),
    ],
)
def test_types_are_strict(api, field, text, code):
    refused = api.refusals("Account", "insert", f"Name,{field}\nx,{text}\n")
    assert [error.partition(":")[0] for error in refused] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("LastVisit__c", "2024-09-09T13:08:34.567Z", "2024-09-09T13:08:34+00:00"),
        ("LastVisit__c", "2024-09-09T13:08:34.000+0000", "2024-09-09T13:08:34+00:00"),
        ("LastVisit__c", "2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00+00:00"),
        ("LastVisit__c", "2024-12-31T20:00:00-0800", "2025-01-01T04:00:00+00:00"),
        ("CustomerSince__c", "1900-01-01", "1900-01-01"),
        ("Score__c", "1.00005", "1.00005"),
        ("Score__c", "1.0000500", "1.00005"),
        ("Score__c", ".5", "0.5"),
        ("AnnualRevenue", "1.0E10", "10000000000.0"),
        ("Visits__c", "-7", "-7"),
        ("Active__c", "YES", "True"),
        ("Active__c", "0", "False"),
        ("Description", "#n/a", "#n/a"),
        ("Description", " blanks ", " blanks "),
    ],
)
def test_values_become_what_their_field_holds(org, api, field, text, value):
    assert api.refusals("Account", "insert", f"Name,{field}\nx,{text}\n") == []
    kept = one(org, "Account")[field]
    assert (kept.isoformat() if hasattr(kept, "isoformat") else str(kept)) == value


def test_times_are_taken(org, api):
    assert api.refusals("Invoice__c", "insert", "CutOff__c\n10:00:00.5Z\n23:59:59\n") == []
    assert [str(row["CutOff__c"]) for row in org.rows("Invoice__c")[-2:]] == ["10:00:00.500000", "23:59:59"]
    assert len(api.refusals("Invoice__c", "insert", "CutOff__c\n24:00:00Z\n10:00\n")) == 2


def test_what_the_org_fills_in(org, api):
    assert api.refusals("Lead", "insert", "FirstName,LastName,Company\nA,B,C\n,D,C\n") == []
    first, second = org.rows("Lead")[-2:]
    assert (first["Name"], second["Name"]) == ("A B", "D")
    assert (first["Status"], first["OwnerId"], first["CreatedById"]) == ("Open", org.user_id, org.user_id)
    assert api.refusals("Lead", "update", f"Id,FirstName\n{second['Id']},C\n{first['Id']},#N/A\n") == []
    assert [row["Name"] for row in org.rows("Lead")[-2:]] == ["B", "C D"]


def test_an_empty_cell_leaves_a_field_and_na_clears_it(org, api, known):
    assert api.refusals("Contact", "update", f"Id,Phone,FirstName\n{known[:15]},,F\n") == []
    assert (one(org)["Phone"], one(org)["FirstName"]) == ("1", "F")
    stamp = one(org)["SystemModstamp"]
    org.clock_offset = 10
    assert api.refusals("Contact", "update", f"Id,Phone,FirstName\n{known},#N/A,\n") == []
    assert (one(org)["Phone"], one(org)["FirstName"]) == (None, "F")
    assert one(org)["SystemModstamp"] > stamp
    (refused,) = api.refusals("Contact", "update", f"Id,LastName\n{known},#N/A\n")
    assert refused.startswith("REQUIRED_FIELD_MISSING:")


def test_update_needs_a_record_that_there_is(org, api, known):
    (gone,) = org.insert("Contact", [{"LastName": "x"}])
    org.delete("Contact", gone)
    sent = ["", "12", MISSING, "001000000000000AAA", gone]
    refused = api.refusals("Contact", "update", "Id,Phone\n" + "".join(f"{text},2\n" for text in sent))
    codes = ["MISSING_ARGUMENT", "MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "ENTITY_IS_DELETED"]
    assert sorted(error.partition(":")[0] for error in refused) == sorted(codes)
    job = api.load("Contact", "update", f"Id,Email\n{known},x\n")
    # A row that failed names the record that it was about.
    assert api.result_rows(job, "failedResults")[0]["sf__Id"] == known


def test_upsert_by_external_id(org, api, known):
    data = "ExternalKey__c,LastName,Phone\nk-0,,2\nk-1,New,\n,Keyless,\n"
    job = api.load("Contact", "upsert", data, externalIdFieldName="ExternalKey__c")
    saved = {row["ExternalKey__c"]: row for row in api.result_rows(job, "successfulResults")}
    assert (saved["k-0"]["sf__Id"], saved["k-0"]["sf__Created"]) == (known, "false")
    assert (saved["k-1"]["sf__Id"], saved["k-1"]["sf__Created"]) == (one(org)["Id"], "true")
    (refused,) = api.result_rows(job, "failedResults")
    assert refused["sf__Error"] == "MISSING_ARGUMENT:ExternalKey__c not specified:--"
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 1)
    row = next(row for row in org.rows("Contact") if row["Id"] == known)
    assert (row["LastName"], row["Phone"]) == ("Known", "2")


def test_one_key_twice_in_a_batch_fails_both_rows(org, api, known):
    data = "ExternalKey__c,LastName\nk-0,a\nK-0,b\nk-1,c\n"
    job = api.load("Contact", "upsert", data, externalIdFieldName="ExternalKey__c")
    errors = sorted(row["sf__Error"] for row in api.result_rows(job, "failedResults"))
    assert errors == [
        f"DUPLICATE_VALUE:Duplicate external id specified: {key}:ExternalKey__c --" for key in ("K-0", "k-0")
    ]
    assert [row["ExternalKey__c"] for row in api.result_rows(job, "successfulResults")] == ["k-1"]
    # In two batches there is no such conflict: the second row changes what the first has made.
    org.bulk_batch_rows = 1
    job = api.load("Contact", "upsert", "ExternalKey__c,LastName\nz,a\nz,b\n", externalIdFieldName="ExternalKey__c")
    assert job["numberRecordsFailed"] == 0 and one(org)["LastName"] == "b"


def test_upsert_by_an_ambiguous_key_fails(org, api):
    ids = org.insert("Contact", [{"LastName": "x", "Email": "twin@example.com"}] * 2)
    data = "Email,LastName\ntwin@example.com,y\n"
    (refused,) = api.refusals("Contact", "upsert", data, externalIdFieldName="Email")
    assert refused.startswith("DUPLICATE_EXTERNAL_ID:Email: more than one record found for external id field: [")
    assert all(identity in refused for identity in ids)
    org.delete("Contact", ids[0])
    assert api.refusals("Contact", "upsert", data, externalIdFieldName="Email") == []
    assert [row["LastName"] for row in org.rows("Contact")[-2:]] == ["x", "y"]


def test_upsert_by_id(org, api, known):
    job = api.load("Contact", "upsert", f"Id,LastName\n{known},Changed\n,New\n{MISSING},x\n", externalIdFieldName="Id")
    assert sorted(row["sf__Created"] for row in api.result_rows(job, "successfulResults")) == ["false", "true"]
    assert [row["LastName"] for row in org.rows("Contact")[-2:]] == ["Changed", "New"]
    assert api.result_rows(job, "failedResults")[0]["sf__Error"].startswith("INVALID_CROSS_REFERENCE_KEY:")
    data = f"Id,ExternalKey__c,LastName\n{known},k-0,x\n"
    (refused,) = api.refusals("Contact", "upsert", data, externalIdFieldName="ExternalKey__c")
    assert "cannot specify both an external ID reference ExternalKey__c and a salesforce id" in refused


def test_unique_values_within_one_batch(org, api):
    job = api.load("Contact", "insert", "LastName,ExternalKey__c\na,u\nb,u\n")
    (refused,) = api.result_rows(job, "failedResults")
    assert refused["LastName"] == "b" and refused["sf__Error"].startswith("DUPLICATE_VALUE:")
    org.delete("Contact", one(org)["Id"])
    assert api.refusals("Contact", "insert", "LastName,ExternalKey__c\nb,u\n") == []


def test_delete_and_hard_delete(org, api, known):
    job = api.load("Contact", "delete", f"Id\n{known}\n{known}\n{MISSING}\n")
    assert [row["sf__Created"] for row in api.result_rows(job, "successfulResults")] == ["false"]
    refused = {row["sf__Error"].partition(":")[0] for row in api.result_rows(job, "failedResults")}
    assert refused == {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
    assert one(org)["IsDeleted"]
    org.hard_delete_allowed = True
    (other,) = org.insert("Contact", [{"LastName": "x"}])
    assert api.refusals("Contact", "hardDelete", f"Id\n{other}\n") == []
    assert one(org)["Id"] == known
    # A record's id is never given to another.
    assert api.refusals("Contact", "insert", "LastName\nnew\n") == []
    assert one(org)["Id"] not in (known, other)


def test_parents_by_key(org, api):
    org.add_field("Account", Field("Key__c", length=20, external_id=True))
    first, *twins = org.insert("Account", [{"Name": "p", "Key__c": key} for key in ("A-1", "T", "T")])
    data = f"lastname,account.key__c,Owner.Email\nFound,a-1,{org.username}\nAbsent,A-9,\nTwins,T,\nNone,,\n"
    job = api.load("Contact", "insert", data)
    refused = {row["lastname"]: row["sf__Error"] for row in api.result_rows(job, "failedResults")}
    assert (
        refused["Absent"]
        == "INVALID_FIELD:Foreign key external ID: A-9 not found for field Key__c in entity Account:--"
    )
    assert refused["Twins"].startswith("DUPLICATE_EXTERNAL_ID:") and set(refused) == {"Absent", "Twins"}
    found = {row["LastName"]: row for row in org.rows("Contact")}
    assert (found["Found"]["AccountId"], found["Found"]["OwnerId"]) == (first, org.user_id)
    assert found["None"]["AccountId"] is None
    data = f"Id,Account.Key__c\n{found['Found']['Id']},#N/A\n"
    assert api.refusals("Contact", "update", data) == []
    assert {row["LastName"]: row for row in org.rows("Contact")}["Found"]["AccountId"] is None
    org.delete("Account", first)
    assert len(api.refusals("Contact", "insert", "LastName,Account.Key__c\nx,A-1\n")) == 1
    (refused_id,) = api.refusals("Contact", "insert", f"LastName,AccountId\nx,{first}\n")
    assert refused_id.startswith("ENTITY_IS_DELETED:")
    assert api.refusals("Contact", "insert", f"LastName,AccountId\nx,{twins[0][:15]}\n") == []
    assert one(org)["AccountId"] == twins[0]


def test_one_of_several_kinds_of_parents(org, api):
    who = Field("Who__c", "reference", reference_to=("Contact", "Lead"), relationship_name="Who__r")
    org.define_object("Visit__c", [who])
    (lead,) = org.insert("Lead", [{"LastName": "l", "Company": "c", "Email": "lead@example.com", "Status": "Open"}])
    assert api.refusals("Visit__c", "insert", "Lead:Who__r.Email\nlead@example.com\n") == []
    assert one(org, "Visit__c")["Who__c"] == lead
    for header in ("Who__r.Email", "Account:Who__r.Name"):
        job = api.load("Visit__c", "insert", f"{header}\nlead@example.com\n")
        assert job["errorMessage"] == f"InvalidBatch : Field name not found : {header}"


def test_describe_tells_what_a_load_may_do(api):
    def flags(sobject, field):
        fields = {entry["name"]: entry for entry in api.get(f"sobjects/{sobject}/describe").json()["fields"]}
        names = ("createable", "updateable", "nillable", "defaultedOnCreate", "idLookup", "externalId", "unique")
        return [fields[field][name] for name in names]

    assert flags("Contact", "Id") == [False, False, False, True, True, False, False]
    assert flags("Contact", "LastName") == [True, True, False, False, False, False, False]
    assert flags("Contact", "Email") == [True, True, True, False, True, False, False]
    assert flags("Contact", "OwnerId") == [True, True, False, True, False, False, False]
    assert flags("Contact", "ExternalKey__c") == [True, True, True, False, True, True, True]
    assert flags("Contact", "Name") == [False, False, True, False, False, False, False]
    assert flags("Account", "Active__c") == [True, True, False, True, False, False, False]
    assert flags("Account", "Name") == [True, True, False, False, False, False, False]
    assert flags("Invoice__c", "Name") == [True, True, True, False, True, False, False]
    assert not api.get("sobjects/CaseStatus/describe").json()["createable"]


@pytest.mark.parametrize("delimiter", ["COMMA", "TAB"])
def test_what_was_loaded_is_what_is_extracted(org, api, delimiter):
    """Extract seeded records, load them as new ones, and extract those: the files are the same."""
    fields = [field for field in api.get("sobjects/Account/describe").json()["fields"] if field["createable"]]
    # NumberOfEmployees comes as 3.0, which no int field takes back.
    names = [field["name"] for field in fields if field["name"] not in ("ParentId", "NumberOfEmployees")]
    soql = f"SELECT {','.join(names)} FROM Account"

    def extracted(where=""):
        settings = {"columnDelimiter": delimiter, "lineEnding": "CRLF"}
        job_id = api.finished_job(soql + where, **settings)
        return api.get(f"jobs/query/{job_id}/results").content

    before = extracted()
    job = api.load("Account", "insert", before, columnDelimiter=delimiter, lineEnding="CRLF")
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 0), api.result_rows(job, "failedResults")
    count = job["numberRecordsProcessed"]
    ids = ",".join(f"'{row['Id']}'" for row in org.rows("Account")[-count:])
    assert extracted(f" WHERE Id IN ({ids})") == before
    assert count == 25
