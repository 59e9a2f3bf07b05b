"""The simulated org: what a test or a demo starts, looks into and breaks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.testing.bulk.jobs import Ending
from airflow_provider_sfjwt.testing.connection import connection_json
from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.data.standard_objects import standard_objects
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.dml.row_faults import Predicate, Where
from airflow_provider_sfjwt.testing.first_records import fill
from airflow_provider_sfjwt.testing.http.faults import Fault
from airflow_provider_sfjwt.testing.http.gateway import LoggedRequest
from airflow_provider_sfjwt.testing.identity import Address, Identity, consumer_key_at
from airflow_provider_sfjwt.testing.listener import Listener
from airflow_provider_sfjwt.testing.oauth import certificates
from airflow_provider_sfjwt.testing.org_data import OrgData
from airflow_provider_sfjwt.testing.script import Script
from airflow_provider_sfjwt.testing.services import Services
from airflow_provider_sfjwt.testing.settings import Setting, Settings

if TYPE_CHECKING:
    from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer

API_VERSIONS = tuple(f"{number}.0" for number in range(58, 69))


class SimulatedOrg(OrgData):
    """A Salesforce org on this machine, with one user and one connected app. A context manager; threads may share it.

    Every setting, see :class:`~airflow_provider_sfjwt.testing.settings.Settings`, may be changed while it runs.

    :param port: on 127.0.0.1, with the same consumer key each time; 0: any free one, with a new consumer key.
    :param tls: serve https with a certificate of an authority made for the occasion, see ``ca_bundle``.
    :param sandbox: expect the audience ``https://test.salesforce.com`` instead of ``https://login.salesforce.com``.
    :param database: path of an SQLite file that outlives the org, or ``:memory:``.
    :param records: number of sample rows by object; None: a small set. An object that has rows gets no more.
    :param modified_between: SystemModstamp of sample rows is spread over it; None: the last 30 days.
    :param rest_page_size: rows of a REST query page.
    :param bulk_page_size: rows of a Bulk result page.
    :param bulk_polls: number of GETs of a job that answer InProgress before JobComplete; 0: complete at once.
    :param private_key: RSA key as unencrypted PEM; None: one made once per process.
    :param api_versions: that the org speaks, oldest first.
    :param daily_api_requests: calls before REQUEST_LIMIT_EXCEEDED.
    :param gzip: answer compressed where the client accepts it.
    :param session_seconds: seconds that an unused access token lives.
    :param sites: paths of Experience Cloud sites.
    :param jwt_access_tokens: tokens are JWTs instead of opaque texts.
    :raises KeyError: for sample rows of an unknown object.
    :raises ValueError: for a key that is not an RSA key, or a database that another version of this package wrote.
    """

    rest_page_size = Setting[int]()
    bulk_page_size = Setting[int]()
    bulk_polls = Setting[int]()
    daily_api_requests = Setting[int]()
    daily_bulk_query_jobs = Setting[int]()
    daily_bulk_batches = Setting[int]()
    beyond_allocation = Setting[str]()
    bulk_batch_rows = Setting[int]()
    bulk_poll_seconds = Setting[float]()
    bulk_upload_bytes = Setting[int]()
    refuse_second_upload = Setting[bool]()
    hard_delete_allowed = Setting[bool]()
    api_enabled = Setting[bool]()
    view_setup = Setting[bool]()
    view_all_data = Setting[bool]()
    view_all_objects = Setting[Collection[str]]()
    gzip = Setting[bool]()
    session_seconds = Setting[int]()
    permitted_users = Setting[str]()
    user_approved = Setting[bool]()
    user_active = Setting[bool]()
    ip_restricted = Setting[bool]()
    org_locked = Setting[bool]()
    app_installed = Setting[bool]()
    login_rate = Setting["int | None"]()
    jwt_access_tokens = Setting[bool]()
    clock_offset = Setting[float]()
    time_zone = Setting[str]()
    fiscal_year_start_month = Setting[int]()
    currency_rates = Setting[Mapping[str, float]]()
    uncounted_objects = Setting[Collection[str]]()
    replicated_ids = Setting[int]()
    in_flight_since = Setting["datetime | None"]()

    username: str
    consumer_key: str
    consumer_secret: str
    private_key: str
    org_id: str
    user_id: str

    def __init__(
        self,
        *,
        port: int = 0,
        tls: bool = False,
        sandbox: bool = False,
        database: str = ":memory:",
        records: Mapping[str, int] | None = None,
        modified_between: tuple[datetime, datetime] | None = None,
        rest_page_size: int = 2000,
        bulk_page_size: int = 100_000,
        bulk_polls: int = 1,
        private_key: str | None = None,
        api_versions: Sequence[str] = API_VERSIONS,
        daily_api_requests: int = 100_000,
        gzip: bool = True,
        session_seconds: int = 7200,
        sites: Sequence[str] = ("customers",),
        jwt_access_tokens: bool = False,
    ) -> None:
        self._settings = Settings(
            rest_page_size=rest_page_size,
            bulk_page_size=bulk_page_size,
            bulk_polls=bulk_polls,
            daily_api_requests=daily_api_requests,
            gzip=gzip,
            session_seconds=session_seconds,
            jwt_access_tokens=jwt_access_tokens,
        )
        key = private_key or certificates.shared_private_key()
        identity = Identity(key, sandbox, tuple(sites), tuple(api_versions), consumer_key_at(port))
        self._identity = identity
        self.username, self.consumer_key = identity.username, identity.consumer_key
        self.consumer_secret, self.private_key = identity.consumer_secret, key
        self.org_id, self.user_id = identity.org_id, identity.user_id
        self._address = Address("https" if tls else "http", port)
        self._script = Script()
        self._schema = Schema(standard_objects(), self._settings.now)
        self._store = Store(self._schema, database)
        self._services = Services(identity, self._settings, self._script, self._store, self._address)
        self._listener = Listener(self._address, self._services.gateway)
        self._event_bus: EventBusServer | None = None
        self.register_certificate(certificates.certificate_for(key))
        fill(self._store, identity, records, modified_between, self.now())

    def start(self) -> SimulatedOrg:
        """Begin to serve; after a stop, again on the same port.

        :raises RuntimeError: where it serves already.
        """
        self._listener.start()
        return self

    def stop(self) -> None:
        """Stop serving and drop open connections; records, sessions and jobs stay for another start."""
        self._listener.stop()

    def close(self) -> None:
        """Stop for good: close the database and remove temporary files."""
        if self._event_bus is not None:
            self._event_bus.stop()
        self._listener.close()
        self._store.close()

    def __repr__(self) -> str:
        """Name the address and nothing secret."""
        return f"<SimulatedOrg {self.url}>"

    def __enter__(self) -> SimulatedOrg:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def now(self) -> datetime:
        """Return the org's time, UTC."""
        return self._settings.now()

    @property
    def url(self) -> str:
        """Address of the org: login URL and instance URL in one."""
        return self._address.url

    @property
    def ca_bundle(self) -> str | None:
        """Path of the certificate that clients must trust; None where the org serves http, or has not served yet."""
        return self._listener.ca_bundle

    def start_event_bus(self, *sobjects: str, port: int = 0) -> EventBusServer:
        """Serve the Pub/Sub API: needs the packages of the extra ``events``.

        :param sobjects: the objects whose changes are published, and the platform events.
        :param port: on 127.0.0.1, where it does not serve yet; 0: any free one.
        :return: the server; its ``endpoint`` belongs in the connection's extra ``pubsub_endpoint``.
        :raises KeyError: for an unknown object.
        """
        from airflow_provider_sfjwt.testing.event_bus.bus import Bus
        from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer

        if self._event_bus is None:
            bus = Bus(self._store, self._settings, self.user_id)
            self._event_bus = EventBusServer(bus, self._services.sessions, self._identity, port)
            self._event_bus.start(self._listener.served)
        for name in sobjects:
            self._event_bus.bus.select(self._schema.get(name))
        return self._event_bus

    @property
    def certificate(self) -> str:
        """The certificate registered with the app, PEM."""
        return self._certificate

    def register_certificate(self, pem: str) -> None:
        """Replace the app's certificate, as an upload in Setup does; there is one at a time.

        :param pem: X.509 certificate of an RSA key.
        :raises ValueError: for anything else.
        """
        self._services.oauth.register_certificate(pem)
        self._certificate = pem

    def connection_json(self, **extra: object) -> str:
        """Return an Airflow connection of this org as JSON text, for ``AIRFLOW_CONN_<ID>``.

        :param extra: further fields of the connection's extra; they win over those made here.
        """
        return connection_json(self._identity, self._address, self.ca_bundle, extra)

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests so far, oldest first; a copy."""
        return list(self._services.gateway.log)

    @property
    def logins(self) -> int:
        """Number of successful token exchanges."""
        return self._services.oauth.logins

    @property
    def login_history(self) -> list[str]:
        """Every token exchange: ``success``, or the refusal as ``error: description``."""
        return list(self._services.oauth.history)

    @property
    def api_calls(self) -> int:
        """Data API calls so far, as Sforce-Limit-Info counts them; it may be set."""
        return self._services.calls.count

    @api_calls.setter
    def api_calls(self, calls: int) -> None:
        self._services.calls.count = calls

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Every job's information by id, as GET answers it; a look that brings no job further."""
        return self._services.jobs.infos()

    def issue_session(self) -> str:
        """Return an access token without any exchange, for clients that take a session id."""
        return self._services.sessions.open(self.username).token

    def expire_sessions(self) -> None:
        """Let every access token die; the next exchange gives a new one."""
        self._services.sessions.expire()

    def expire_cursors(self) -> None:
        """Let every REST query cursor die, so that the next page is refused with INVALID_QUERY_LOCATOR."""
        self._services.queries.expire()

    def approve(self, approved: bool = True) -> None:
        """Allow the user to use the app, or stop allowing it."""
        self.user_approved = approved

    def fail_next_job(self, message: str, kind: str = "query", after_batches: int = 0) -> None:
        """Let the next job that is created end as Failed with this errorMessage.

        :param kind: ``query`` or ``ingest``.
        :param after_batches: of a load: internal batches that are saved first, see ``bulk_batch_rows``.
        """
        self._script.jobs.add(kind, Ending("Failed", message, after_batches))

    def abort_next_job(self, kind: str = "query", after_batches: int = 0) -> None:
        """Let the next job that is created end as Aborted, as when an admin stops it.

        :param kind: ``query`` or ``ingest``.
        :param after_batches: of a load: internal batches that are saved first.
        """
        self._script.jobs.add(kind, Ending("Aborted", "", after_batches))

    def lock_records(self, sobject: str, where: Where = None, times: int | None = 1) -> None:
        """Let loads of matching records fail with UNABLE_TO_LOCK_ROW.

        :param where: values by field name (a list: any of them), or a function of the record as it would become,
            Python values by field name; None: every record.
        :param times: attempts that fail, for each record; None: all.
        :raises KeyError: for an unknown object.
        """
        self._script.rows.lock(self._schema.get(sobject), where, times)

    def add_validation_rule(self, sobject: str, broken: Predicate, message: str, fields: Sequence[str] = ()) -> None:
        """Refuse to save records with FIELD_CUSTOM_VALIDATION_EXCEPTION.

        :param broken: a function that returns True for a record to refuse, as Salesforce's error condition formula
            does. It gets the record as it would become: Python values by field name.
        :param message: that the refusal shows.
        :param fields: API names of the fields that the error is shown at; none: at the top.
        :raises KeyError: for an unknown object.
        """
        self._script.rows.add_rule(self._schema.get(sobject), broken, message, tuple(fields))

    def add_assignment_rule(self, sobject: str, owner: str, active: bool = True) -> str:
        """Give new records to a user: by ``assignmentRuleId`` of a load or the header ``Sforce-Auto-Assign``.

        :param owner: id of the user.
        :param active: whether it works for requests that name no rule.
        :return: the rule's id.
        :raises KeyError: for an unknown object.
        """
        return self._script.rows.add_assignment(self._schema.get(sobject), owner, active)

    def apex_rest(self, method: str, path: str, answer: Any, *, status: int = 200) -> None:
        """Give the org an Apex REST method, as a class with ``@RestResource`` does.

        :param method: HTTP method.
        :param path: what follows ``/services/apexrest``; ``*`` stands for any characters.
        :param answer: a JSON value, or a function that gets an :class:`~airflow_provider_sfjwt.testing.ApexRequest` and
            returns one; None is an empty body. A function may raise :class:`~airflow_provider_sfjwt.testing.ApexError`.
        :param status: HTTP status of the answer.
        """
        self._services.apex.add(method, path, answer, status)

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong from now on, see :class:`Fault`."""
        self._script.requests.add(fault)

    def clear_faults(self) -> None:
        """Let everything go right again; locks, rules and scripted ends of jobs stay."""
        self._script.requests.clear()

    def clear_job_endings(self) -> None:
        """Forget the scripted ends of jobs, also of jobs that were created and have not ended."""
        self._services.jobs.forget_endings()
