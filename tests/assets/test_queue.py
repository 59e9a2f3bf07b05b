from __future__ import annotations

from airflow_provider_sfjwt.assets.queue import SalesforceQueueProvider
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
