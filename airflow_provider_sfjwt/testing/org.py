"""The simulated org: what a test or a demo starts, looks into and breaks."""

from __future__ import annotations

import itertools
import json
import secrets
import ssl
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.testing.bulk.ingest import BulkIngest
from airflow_provider_sfjwt.testing.bulk.jobs import Jobs
from airflow_provider_sfjwt.testing.bulk.query import BulkQueries
from airflow_provider_sfjwt.testing.data import seed
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.data.standard_objects import CASE_STATUSES, standard_objects
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.dml.row_faults import Troubles
from airflow_provider_sfjwt.testing.dml.save import Dml
from airflow_provider_sfjwt.testing.http.faults import FaultScript
from airflow_provider_sfjwt.testing.http.server import LoggedRequest, Server
from airflow_provider_sfjwt.testing.oauth import certificates
from airflow_provider_sfjwt.testing.oauth.endpoints import OAuth
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions
from airflow_provider_sfjwt.testing.rest.collections import Collections
from airflow_provider_sfjwt.testing.rest.objects import SObjects
from airflow_provider_sfjwt.testing.rest.query import RestQueries
from airflow_provider_sfjwt.testing.routes import Routes
from airflow_provider_sfjwt.testing.script import Scripted

API_VERSIONS = tuple(f"{number}.0" for number in range(58, 69))
USERNAME = "integration.user@sfjwt.example.com"
CONSUMER_KEY = "3MVG9" + "SimulatedOrg0123456789" * 3 + "ConsumerKey"


class SimulatedOrg(Scripted):
    """A Salesforce org on this machine, with one user and one connected app. A context manager; threads may share it.

    Every attribute of :class:`Switches` may be changed while it runs.

    :param port: on 127.0.0.1; 0: any free one.
    :param tls: serve https with a certificate of an authority made for the occasion, see ``ca_bundle``.
    :param sandbox: expect the audience ``https://test.salesforce.com`` instead of ``https://login.salesforce.com``.
    :param database: path of an SQLite file that outlives the org, or ``:memory:``.
    :param records: number of sample rows by object; None: a small set. An object that has rows gets no more.
    :param modified_between: SystemModstamp of sample rows is spread over it; None: the last 30 days.
    :param rest_page_size: rows of a REST query page.
    :param bulk_page_size: rows of a Bulk result page.
    :param bulk_polls: how many GETs of a job answer InProgress before JobComplete; 0: complete at once.
    :param private_key: RSA key as unencrypted PEM; None: one made once per process.
    :param api_versions: that the org speaks, oldest first.
    :param sites: paths of Experience Cloud sites.
    """

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
        super().__init__(
            rest_page_size=rest_page_size,
            bulk_page_size=bulk_page_size,
            bulk_polls=bulk_polls,
            daily_api_requests=daily_api_requests,
            gzip=gzip,
            session_seconds=session_seconds,
            jwt_access_tokens=jwt_access_tokens,
        )
        self.username = USERNAME
        self.consumer_key = CONSUMER_KEY
        self.consumer_secret = secrets.token_hex(32)
        self.private_key = private_key or certificates.shared_private_key()
        self.org_id, self.user_id = record_id("00D", 1), record_id("005", 1)
        self.ca_bundle: str | None = None
        self._port = port
        self._scheme = "https" if tls else "http"
        self._sandbox = sandbox
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._requests: list[LoggedRequest] = []
        self._faults = FaultScript()
        self._jobs = Jobs()
        self._troubles = Troubles()
        self._rule_numbers = itertools.count(1)
        self._schema = Schema(standard_objects())
        self._store = Store(self._schema, database)
        key = certificates.load_rsa_key(self.private_key)
        self._sessions = Sessions(self, self.org_id, self.user_id, key)
        self._queries = RestQueries(self._schema, self._store, self)
        self._bulk = BulkQueries(self._schema, self._store, self, self._jobs, self.user_id)
        dml = Dml(self._schema, self._store, self, self._troubles, self.user_id)
        self._ingest, self._collections = BulkIngest(dml, self._jobs), Collections(dml)
        self._oauth = self._make_oauth(sites)
        self._routes = self._make_routes(tuple(api_versions), sites)
        self.register_certificate(certificates.certificate_for(self.private_key))
        self._fill(records, modified_between)

    def _make_oauth(self, sites: Sequence[str]) -> OAuth:
        return OAuth(
            self,
            self._sessions,
            self.consumer_key,
            self.consumer_secret,
            self.username,
            (self.org_id, self.user_id),
            self._urls,
            sites,
            self._sandbox,
        )

    def _make_routes(self, api_versions: tuple[str, ...], sites: Sequence[str]) -> Routes:
        objects = SObjects(self._schema, self._store, self)
        queries = (self._queries, self._bulk)
        loads = (self._ingest, self._collections)
        return Routes(self, self._sessions, self._oauth, objects, *queries, *loads, self._jobs, api_versions, sites)

    def _fill(self, records: Mapping[str, int] | None, span: tuple[datetime, datetime] | None) -> None:
        if not self._store.count(self._schema.get("Organization")):
            self.insert("Organization", [self._organization()])
            self.insert("User", [self._user()])
            self.insert("CaseStatus", CASE_STATUSES)
        for name, count in (seed.SMALL if records is None else records).items():
            sobject = self._schema.get(name)
            if count and not self._store.count(sobject):
                seed.seed(self._store, sobject, count, span or seed.last_days(self.now()), self.user_id)

    def _organization(self) -> dict[str, Any]:
        return {
            "Id": self.org_id,
            "Name": "Simulated Org",
            "InstanceName": "SIM1",
            "IsSandbox": self._sandbox,
            "OrganizationType": "Developer Edition",
            "Country": "US",
            "DefaultLocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "TimeZoneSidKey": "America/Los_Angeles",
        }

    def _user(self) -> dict[str, Any]:
        return {
            "Id": self.user_id,
            "Username": self.username,
            "Name": "Integration User",
            "FirstName": "Integration",
            "LastName": "User",
            "Email": self.username,
            "Alias": "integr",
            "IsActive": True,
            "UserType": "Standard",
            "ProfileId": record_id("00e", 1),
        }

    def _urls(self) -> tuple[str, str]:
        return self.url, f"{self._scheme}://localhost:{self._port}"

    def start(self) -> SimulatedOrg:
        """Begin to serve; after a stop, again on the same port."""
        if self._server is not None:
            raise RuntimeError("the org is running already")
        self._server = Server(
            self._port,
            self._routes.respond,
            self._faults,
            self.expire_sessions,
            self.now,
            lambda: self.gzip,
            self._requests.append,
            self._tls_context() if self._scheme == "https" else None,
        )
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="simulated-org", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and drop open connections; records, sessions and jobs stay for another start."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def close(self) -> None:
        """Stop for good: close the database and remove temporary files."""
        self.stop()
        self._store.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __repr__(self) -> str:
        """Name the address and nothing secret."""
        return f"<SimulatedOrg {self.url}>"

    def __enter__(self) -> SimulatedOrg:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tls_context(self) -> ssl.SSLContext:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="simulated-org-")
        folder = Path(self._folder.name)
        bundle, served = folder / "authority.pem", folder / "server.pem"
        if not served.exists():
            bundle, served = certificates.write_tls_files(folder)
        self.ca_bundle = str(bundle)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(served)
        return context

    @property
    def url(self) -> str:
        """Address of the org: login URL and instance URL in one."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def certificate(self) -> str:
        """The certificate registered with the app, PEM."""
        return self._certificate

    def register_certificate(self, pem: str) -> None:
        """Replace the app's certificate, as an upload in Setup does; there is one at a time.

        :param pem: X.509 certificate of an RSA key.
        :raises ValueError: for anything else.
        """
        self._oauth.register_certificate(pem)
        self._certificate = pem

    def connection_json(self, **extra: object) -> str:
        """Return an Airflow connection of this org as JSON text, for ``AIRFLOW_CONN_<ID>``.

        :param extra: further fields of the connection's extra; they win over those made here.
        """
        fields: dict[str, object] = {"consumer_key": self.consumer_key, "private_key": self.private_key}
        if self._sandbox:
            fields["audience"] = "https://test.salesforce.com"
        if self.ca_bundle:
            fields["ca_bundle"] = self.ca_bundle
        connection = {
            "conn_type": "salesforce_jwt",
            "login": self.username,
            "host": self.url,
            # The address has it already, but the Test button of Airflow 3.3.2 refuses a connection without one.
            "port": urlsplit(self.url).port,
            "extra": fields | extra,
        }
        return json.dumps(connection)

    def define_object(
        self,
        name: str,
        fields: Iterable[Field],
        *,
        label: str = "",
        key_prefix: str | None = None,
        bulk: bool = True,
    ) -> SObject:
        """Add an object; ``Id``, system fields and, unless given, ``Name`` come by themselves.

        :param bulk: whether the Bulk API may name it; never so for those that it refuses in every org, such as
            ``TaskStatus``.
        :raises ValueError: where there is one of that name.
        """
        made = self._schema.define(name, fields, label, key_prefix, bulk)
        self._store.make_table(made)
        return made

    def add_field(self, sobject: str, field: Field) -> None:
        """Add a field to an object; present rows have null there.

        :raises ValueError: where the object has it already.
        """
        self._store.make_table(self._schema.with_field(sobject, field))

    def hide_field(self, sobject: str, field: str) -> None:
        """Hide a field from the user, as field-level security does: it looks as if it were not there.

        :raises KeyError: where there is none.
        """
        self._schema.without_field(sobject, field)

    def insert(self, sobject: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Insert records of Python values by field name and return their ids.

        ``Id``, ``CreatedDate``, ``SystemModstamp``, owner and authors are filled in where absent.

        :raises KeyError: for an unknown object.
        :raises ValueError: for an unknown field or a value that it cannot take.
        """
        self._ingest.settle()
        return self._store.insert(self._schema.get(sobject), rows, self.now(), self.user_id)

    def update(self, sobject: str, record: str, values: Mapping[str, Any]) -> None:
        """Change a record and its SystemModstamp.

        :raises KeyError: where there is no such record.
        """
        self._ingest.settle()
        if not self._store.update(self._schema.get(sobject), canonical_id(record) or "", values, self.now()):
            raise KeyError(record)

    def delete(self, sobject: str, record: str) -> None:
        """Put a record into the recycle bin, where only ``queryAll`` sees it.

        :raises KeyError: where there is no such record.
        """
        self.update(sobject, record, {"IsDeleted": True})

    def rows(self, sobject: str) -> list[dict[str, Any]]:
        """Return all records of an object, deleted ones included, as Python values by field name.

        Loads that are queued are processed first.
        """
        self._ingest.settle()
        return self._store.rows(self._schema.get(sobject))

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests so far, oldest first; a copy."""
        return list(self._requests)

    @property
    def logins(self) -> int:
        """Number of successful token exchanges."""
        return self._oauth.logins

    @property
    def login_history(self) -> list[str]:
        """Every token exchange: ``success``, or the refusal as ``error: description``."""
        return list(self._oauth.history)

    @property
    def api_calls(self) -> int:
        """Data API calls so far, as Sforce-Limit-Info counts them."""
        return self._routes.api_calls

    @api_calls.setter
    def api_calls(self, calls: int) -> None:
        self._routes.api_calls = calls

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Every job's information by id, as GET answers it; a look that brings no job further."""
        return self._jobs.infos()

    def issue_session(self) -> str:
        """Return an access token without any exchange, for clients that take a session id."""
        return self._sessions.open(self.username).token

    def expire_sessions(self) -> None:
        """Let every access token die; the next exchange gives a new one."""
        self._sessions.expire()

    def expire_cursors(self) -> None:
        """Let every REST query cursor die, so that the next page is refused with INVALID_QUERY_LOCATOR."""
        self._queries.expire()
