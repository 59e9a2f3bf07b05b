"""The parts of an org, put together: each takes what it needs."""

from __future__ import annotations

from airflow_provider_sfjwt.testing.apex.rest import ApexRest
from airflow_provider_sfjwt.testing.bulk.ingest import BulkIngest
from airflow_provider_sfjwt.testing.bulk.jobs import Jobs
from airflow_provider_sfjwt.testing.bulk.query import BulkQueries
from airflow_provider_sfjwt.testing.bulk1.jobs import Bulk1
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.data_api import ApiCalls, DataApi, Front
from airflow_provider_sfjwt.testing.dml.save import Dml
from airflow_provider_sfjwt.testing.http.gateway import Gateway
from airflow_provider_sfjwt.testing.identity import Address, Identity
from airflow_provider_sfjwt.testing.oauth.endpoints import OAuth
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions
from airflow_provider_sfjwt.testing.rest.collections import Collections
from airflow_provider_sfjwt.testing.rest.composite import Composite
from airflow_provider_sfjwt.testing.rest.limits import Limits
from airflow_provider_sfjwt.testing.rest.objects import SObjects
from airflow_provider_sfjwt.testing.rest.query import RestQueries
from airflow_provider_sfjwt.testing.rest.replication import Replication
from airflow_provider_sfjwt.testing.rest.versions import Versions
from airflow_provider_sfjwt.testing.script import Script
from airflow_provider_sfjwt.testing.settings import Settings


class Services:
    """What serves an org's requests.

    :param identity: who the org is.
    :param settings: what a test may change while it runs.
    :param script: what a test wants to go wrong.
    :param store: the org's records.
    :param address: where the org is reached.
    """

    def __init__(self, identity: Identity, settings: Settings, script: Script, store: Store, address: Address) -> None:
        self.sessions = Sessions(settings, identity)
        self.oauth = OAuth(settings, self.sessions, identity, address)
        self.calls = ApiCalls(settings)
        self.jobs = Jobs(script.jobs)
        self.queries = RestQueries(store, settings, identity.user_id)
        dml = Dml(store, settings, script.rows, identity.user_id)
        self.ingest = BulkIngest(dml, self.jobs)
        resources = (
            Versions(),
            Limits(
                settings,
                lambda: self.calls.count,
                lambda: self.jobs.made("query"),
                lambda: self.ingest.allocation.used,
                store,
            ),
            Replication(store, settings),
            SObjects(store, settings),
            self.queries,
            BulkQueries(store, settings, self.jobs, identity.user_id),
            self.ingest,
            Collections(dml),
            Composite(lambda *parts: data_api.dispatch(*parts)),
        )
        data_api = DataApi(self.sessions, self.calls, resources, self.ingest.settle)
        self.apex = ApexRest()
        bulk1 = Bulk1(self.sessions, identity.api_versions, dml, self.jobs, self.ingest.allocation)
        front = Front(identity, self.oauth, data_api, self.apex, bulk1)
        self.gateway = Gateway(settings, script.requests, front.respond, self.sessions.expire)
