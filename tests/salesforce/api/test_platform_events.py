from __future__ import annotations

from airflow_provider_sfjwt.exceptions import ErrorItem
from airflow_provider_sfjwt.salesforce.api.platform_events import PublishedEvent, publish_events
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import LOST, Script, ok


def test_an_accepted_event_has_its_uuid_among_the_errors(session: Session) -> None:
    queued = {"statusCode": "OPERATION_ENQUEUED", "message": "232fd30e", "fields": []}
    late = {"statusCode": "LIMIT_EXCEEDED", "message": "hourly", "fields": []}
    script = Script(
        LOST,  # published twice rather than not at all
        ok(
            [
                {"id": "e01xx0000000001AAA", "success": True, "errors": [queued]},
                {"success": True, "errors": []},
                {"success": False, "errors": [late]},
            ]
        ),
    )
    assert script.run(publish_events(session, "Order__e", [{"A__c": 1}, {"A__c": 2}, {"A__c": 3}])) == [
        PublishedEvent(True, "232fd30e"),
        PublishedEvent(True, None),
        PublishedEvent(False, None, (ErrorItem("LIMIT_EXCEEDED", "hourly"),)),
    ]
