from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_provider_sfjwt.testing import SimulatedOrg


def test_sample_rows_are_the_same_each_time_and_spread_over_the_span():
    end = datetime(2026, 11, 1, tzinfo=timezone.utc)
    span = (end - timedelta(hours=10), end)
    orgs = [SimulatedOrg(records={"Account": 10}, modified_between=span) for _ in range(2)]
    first, second = (org.rows("Account") for org in orgs)
    for org in orgs:
        org.close()
    assert first == second
    stamps = [row["SystemModstamp"] for row in first]
    assert stamps == [span[0] + timedelta(hours=hour) for hour in range(10)]


def test_sample_values_are_nasty():
    with SimulatedOrg(records={"Account": 200, "Invoice__c": 50}) as org:
        accounts, invoices = org.rows("Account"), org.rows("Invoice__c")
    names = {row["Name"] for row in accounts}
    assert "NA" in names
    assert any("\n" in name for name in names) and any('"' in name for name in names)
    assert any(row["BillingCity"] != (row["BillingCity"] or "").strip() for row in accounts)
    assert {row["Active__c"] for row in accounts} == {True, False}
    assert any(row["Account__c"] for row in invoices) and not all(row["Account__c"] for row in invoices)
