from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, NotFoundError, ProtocolError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg


@pytest.fixture
def trips(org: SimulatedOrg) -> SimulatedOrg:
    fields = [
        Field("Seats__c", "int"),
        Field("Price__c", "currency", precision=16, scale=2),
        Field("At__c", "datetime"),
    ]
    org.define_object("Trip__c", fields)
    moment = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)
    org.insert("Trip__c", [{"Name": "a", "Seats__c": 3, "Price__c": "0.10", "At__c": moment}, {"Name": "b"}])
    return org


SOQL = "SELECT Name, Seats__c, Price__c, At__c, CreatedBy.Name FROM Trip__c ORDER BY Name"


@pytest.mark.parametrize("transport", ["rest", "bulk"])
def test_an_arrow_table_is_typed_and_exact(trips: SimulatedOrg, transport: str) -> None:
    table = SalesforceJwtHook().query_arrow(SOQL, transport=transport)
    assert [str(kind) for kind in table.schema.types] == [
        "string",
        "int64",
        "decimal128(38, 18)",
        "timestamp[ms, tz=UTC]",
        "string",
    ]
    first, second = table.to_pylist()
    assert first == {
        "Name": "a",
        "Seats__c": 3,
        "Price__c": Decimal("0.10"),
        "At__c": datetime(2026, 11, 1, 8, tzinfo=timezone.utc),
        "CreatedBy.Name": "Integration User",
    }
    assert second["Seats__c"] is None
    assert len(trips.jobs) == (transport == "bulk")


def test_a_table_has_all_pages_and_may_have_no_rows(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    assert hook.query_arrow("SELECT Id FROM Account").num_rows == 25
    nothing = hook.query_arrow("SELECT Id, Name FROM Account WHERE Name = 'nobody'")
    assert (nothing.num_rows, nothing.schema.names) == (0, ["Id", "Name"])
    org.delete("Account", org.rows("Account")[0]["Id"])
    assert hook.query_arrow("SELECT Id FROM Account").num_rows == 24
    assert hook.query_arrow("SELECT Id FROM Account", include_deleted=True).num_rows == 25


def test_a_data_frame_keeps_whole_numbers_whole_beside_nulls(trips: SimulatedOrg) -> None:
    frame = SalesforceJwtHook().query_pandas(SOQL)
    assert str(frame.dtypes["Seats__c"]) == "int64[pyarrow]"
    assert frame["Seats__c"].to_list()[0] == 3
    assert frame["Price__c"].to_list()[0] == Decimal("0.10")
    assert frame["Seats__c"].isna().to_list() == [False, True]


@pytest.mark.parametrize(
    "soql", ["SELECT COUNT(Id) n FROM Account", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"]
)
def test_what_is_not_a_table_is_refused(org: SimulatedOrg, soql: str) -> None:
    with pytest.raises(ConfigurationError, match="hook.query"):
        SalesforceJwtHook().query_arrow(soql)


def test_a_record_and_the_names_of_fields(org: SimulatedOrg) -> None:
    hook, (row, *_) = SalesforceJwtHook(), org.rows("Account")
    record = hook.record("Account", row["Id"])
    assert (record["Id"], record["Name"]) == (row["Id"], row["Name"])
    assert "attributes" not in record
    assert hook.record("Account", row["Id"], ["Name", "Id"]) == {"Name": row["Name"], "Id": row["Id"]}
    with pytest.raises(NotFoundError):
        hook.record("Account", "001000000000000AAA")
    assert hook.field_names("Account") == [field["name"] for field in hook.describe("Account")["fields"]]
    assert {"Id", "BillingAddress"} <= set(hook.field_names("Account"))


def test_an_answer_that_is_not_a_record_is_refused(org: SimulatedOrg) -> None:
    org.add_fault(Fault(path="*/sobjects/Account/*", edit_body=lambda body: b"[]"))
    with pytest.raises(ProtocolError, match="did not answer with a record"):
        SalesforceJwtHook().record("Account", org.rows("Account")[0]["Id"])


def test_requests_go_to_the_hooks_org_alone(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    assert "DailyApiRequests" in hook.request("get", f"{org.url}/services/data/v66.0/limits")
    with pytest.raises(ConfigurationError, match="a URL of https://evil.example.com"):
        hook.request("GET", "https://evil.example.com/services/data/v66.0/limits")
    org.apex_rest("POST", "x", 1)
    org.add_fault(Fault("POST", "*/x", lose_answer=True))
    with pytest.raises(Exception, match="unknown whether Salesforce processed this POST") as caught:
        hook.request("POST", "/services/apexrest/x", json=[])
    assert caught.value.retryable is False


def test_tables_are_concatenated_in_the_order_of_pages(org: SimulatedOrg) -> None:
    table = SalesforceJwtHook().query_arrow("SELECT Id FROM Account ORDER BY Id", transport="bulk")
    assert isinstance(table, pa.Table)
    assert table["Id"].to_pylist() == sorted(row["Id"] for row in org.rows("Account"))
