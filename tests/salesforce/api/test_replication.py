"""What was deleted, and how many records there are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import replication
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import Script, ok, refusal

START = datetime(2026, 11, 20, 10, 0, 30, tzinfo=timezone.utc)
END = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=2)))
# The shape of https://github.com/restforce/restforce/blob/main/spec/fixtures/sobject/get_deleted_success_response.json
ANSWER: dict[str, Any] = {
    "deletedRecords": [{"id": "a00D0000008pQRAIA2", "deletedDate": "2026-11-20T22:07:19.000+0000"}],
    "earliestDateAvailable": "2026-11-03T15:57:00.000+0000",
    "latestDateCovered": "2026-11-21T10:00:00.000+0000",
}


def test_deleted_records_come_with_their_dates(session: Session) -> None:
    script = Script(ok(ANSWER))
    found = script.run(replication.deleted_records(session, "Invoice__c", START, END))
    assert found.deleted == {"a00D0000008pQRAIA2": datetime(2026, 11, 20, 22, 7, 19, tzinfo=timezone.utc)}
    assert (found.covered, found.available.day) == (END, 3)
    asked = "start=2026-11-20T10%3A00%3A30%2B00%3A00&end=2026-11-21T10%3A00%3A00%2B00%3A00"
    assert script.paths == [f"GET /services/data/v66.0/sobjects/Invoice__c/deleted/?{asked}"]


@pytest.mark.parametrize(
    "answer", [None, [], ANSWER | {"deletedRecords": [{}]}, ANSWER | {"latestDateCovered": "today"}, {}]
)
def test_an_answer_without_dates_is_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="did not answer with deleted records"):
        Script(ok(answer)).run(replication.deleted_records(session, "Account", START, END))


def test_a_purged_log_is_reported_with_what_to_do(session: Session) -> None:
    with pytest.raises(ApiError, match="INVALID_REPLICATION_DATE") as caught:
        Script(refusal(400, "INVALID_REPLICATION_DATE")).run(
            replication.deleted_records(session, "Account", START, END)
        )
    assert "compare all ids" in caught.value.remedy


def test_records_are_counted(session: Session) -> None:
    script = Script(ok({"sObjects": [{"count": 3, "name": "Account"}, {"count": 0, "name": "Lead"}]}))
    assert script.run(replication.record_counts(session)) == {"Account": 3, "Lead": 0}
    assert script.paths == ["GET /services/data/v66.0/limits/recordCount"]


@pytest.mark.parametrize("answer", [None, [], {}, {"sObjects": [{"name": "Account"}]}, {"sObjects": [7]}])
def test_counts_that_are_none_are_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="number of records"):
        Script(ok(answer)).run(replication.record_counts(session))


def test_an_org_answers_so(client: Any) -> None:
    record = client.org.rows("Lead")[0]["Id"]
    client.org.delete("Lead", record)
    client.org.purge("Lead", record)
    now = client.org.now()

    found = client.run(replication.deleted_records, "Lead", now - timedelta(hours=1), now + timedelta(minutes=2))

    assert list(found.deleted) == [record]
    assert found.available < found.covered <= now
    assert client.run(replication.record_counts)["Lead"] == len(client.org.rows("Lead"))
