from __future__ import annotations

import pytest

from airflow_provider_sfjwt.assets import salesforce_asset
from airflow_provider_sfjwt.assets.queue import SalesforceQueueProvider
from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.get_provider_info import get_provider_info
from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger


def test_the_provider_names_the_class() -> None:
    path = f"{SalesforceQueueProvider.__module__}.{SalesforceQueueProvider.__qualname__}"
    assert get_provider_info()["queues"] == [path]


def test_its_scheme_leads_to_the_watcher() -> None:
    provider = SalesforceQueueProvider()
    assert [provider.scheme_matches(scheme) for scheme in ("salesforce", "kafka")] == [True, False]
    assert not provider.queue_matches("salesforce://x")
    assert provider.trigger_kwargs("salesforce://x") == {}
    trigger = provider.trigger_class()(asset_name="accounts", sobject="Account")
    assert isinstance(trigger, SalesforceChangesTrigger)


@pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")
def test_the_message_queue_trigger_of_airflow_makes_the_watcher_of_the_asset() -> None:
    reason = "missing: apache-airflow-providers-common-messaging"
    msg_queue = pytest.importorskip("airflow.providers.common.messaging.triggers.msg_queue", reason=reason)
    (watcher,) = salesforce_asset("Account", "crm", poll_interval=30).watchers
    path, kwargs = watcher.trigger.serialize()
    made = msg_queue.MessageQueueTrigger(scheme="salesforce", **kwargs)
    # What Airflow stores is the watcher itself, which its triggerer then runs.
    assert made.serialize() == (path, kwargs)
    assert made.trigger.shared_stream_key() == watcher.trigger.shared_stream_key()
