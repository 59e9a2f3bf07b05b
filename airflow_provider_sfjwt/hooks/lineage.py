"""Which org a connection leads to, and what a hook's methods read and write, for the lineage of the task that runs.

Airflow collects it from hooks, so that the data sets of a ``@task`` are known as those of an operator are.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/lineage.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.storage.paths import place_named, text_of_path
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME
from airflow_provider_sfjwt.load.reading.source_argument import WILDCARD, paths_of
from airflow_provider_sfjwt.salesforce.api.soql import sobject_of
from airflow_provider_sfjwt.salesforce.auth.login_url import is_loopback
from airflow_provider_sfjwt.salesforce.auth.token_source import token_in_use

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.load.report import LoadReport
    from airflow_provider_sfjwt.load.spec import LoadSpec
    from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings

#: A login URL that is the org's own: its API is on the same host.
#: https://help.salesforce.com/s/articleView?id=sf.domain_name_url_formats.htm
_MY_DOMAIN = re.compile(r".+\.my\.(salesforce|sfcrmproducts|crmforce)\.\w+")
#: What Airflow's collector raises for what it does not know. Lineage must not fail a task.
_COLLECTOR_ERRORS = (ImportError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class LineageHook(Protocol):
    """What is asked of a hook here.

    :param salesforce_conn_id: its connection.
    """

    salesforce_conn_id: str

    @property
    def settings(self) -> ConnectionSettings:
        """What the connection says."""

    @property
    def log(self) -> Any:
        """Its logger."""


@dataclass(frozen=True)
class KnownOrg:
    """The org behind a connection.

    :param host: of its API, e.g. ``acme.my.salesforce.com``.
    :param org_id: its 18-character id; None before the first sign-in.
    """

    host: str
    org_id: str | None = None


def known_org(hook: LineageHook) -> KnownOrg | None:
    """The org behind a hook's connection, as far as this process knows it. Nothing is asked, and nobody signs in.

    :param hook: of the connection.
    :return: None before the first sign-in, unless the login URL is the org's own.
    """
    try:
        settings = hook.settings
    except SalesforceError:  # the task itself says what is wrong
        return None
    token = token_in_use(settings.credentials)
    if token is not None:
        return KnownOrg(urlsplit(token.instance_url).hostname or "", token.org_id)
    host = urlsplit(settings.credentials.login_url).hostname or ""
    return KnownOrg(host) if is_loopback(host) or _MY_DOMAIN.fullmatch(host) else None


def places_of_source(source: object) -> list[str]:
    """The folders and files that a load reads, told from its argument alone.

    The parts of an extract are one data set, and so are the files of a glob: their folder.

    :param source: as a load takes it. Rows have no place.
    :return: each once, in the order given.
    """
    if isinstance(source, Mapping):
        receipt = text_of_path(source.get("receipt"))
        return [_folder(receipt)] if receipt else []
    return list(dict.fromkeys(_folder(each) for each in paths_of(source)))


def _folder(text: str) -> str:
    text = text.rstrip("/").removesuffix(f"/{RECEIPT_NAME}")
    found = WILDCARD.search(text)
    return text[: found.start()].rpartition("/")[0] if found else text


class HookLineage:
    """Tells Airflow's collector what a hook reads and writes, where a task runs.

    :param hook: that does it.
    :param collector: Airflow's, or None to take it where a task runs.
    """

    def __init__(self, hook: LineageHook, collector: Any | None = None) -> None:
        self._hook = hook
        self._collector = collector
        if collector is None and compat.current_context() is not None:
            self._collector = compat.hook_lineage_collector()

    def queried(self, soql: str) -> None:
        """A query has read an object.

        :param soql: the query.
        """
        if (sobject := sobject_of(soql)) is not None:
            self._object("add_input_asset", sobject)

    def watched(self, soql: str, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The rows of a query, which has read its object when the last one that is wanted is given out.

        :param soql: the query.
        :param rows: its rows.
        """
        try:
            yield from rows
        finally:
            self.queried(soql)

    def extracted(self, receipt: Receipt) -> Receipt:
        """An extract has read an object, and written a folder.

        :param receipt: its proof.
        :return: the same.
        """
        if receipt.sobject is not None:
            self._object("add_input_asset", receipt.sobject)
        self._file("add_output_asset", receipt.output_path)
        return receipt

    def synced(self, receipts: Mapping[str, str]) -> None:
        """A sync has read objects, and written a folder for each.

        :param receipts: the paths of their receipts, by object.
        """
        for sobject, receipt in receipts.items():
            self._object("add_input_asset", sobject)
            self._file("add_output_asset", receipt.removesuffix(f"/{RECEIPT_NAME}"))

    def loaded(self, spec: LoadSpec, report: LoadReport) -> LoadReport:
        """A load has read files, and written an object.

        :param spec: what was asked for.
        :param report: what became of it.
        :return: the same.
        """
        for place in places_of_source(spec.source):
            self._file("add_input_asset", place)
        if not spec.dry_run:
            self._object("add_output_asset", report.sobject)
        return report

    def _object(self, method: str, sobject: str) -> None:
        org = None if self._collector is None else known_org(self._hook)
        self._tell(
            method,
            scheme="salesforce",
            asset_kwargs={"conn_id": self._hook.salesforce_conn_id, "sobject": sobject},
            asset_extra={"host": org.host, "org_id": org.org_id} if org is not None else None,
        )

    def _file(self, method: str, text: str) -> None:
        self._tell(method, uri=place_named(text).uri)

    def _tell(self, method: str, **what: Any) -> None:
        if self._collector is None:
            return
        try:
            getattr(self._collector, method)(context=self._hook, **what)
        except _COLLECTOR_ERRORS as error:
            self._hook.log.debug("Airflow's lineage collector refused what the hook reported: %s", error)
