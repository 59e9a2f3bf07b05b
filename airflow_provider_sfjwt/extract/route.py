"""What every way to fetch the rows of an extract has in common.

A route asks Salesforce for the rows (:meth:`Route.ask`). Either they can be fetched at once (:class:`Rows`), or a job
must end first (:class:`~airflow_provider_sfjwt.salesforce.api.bulk_job.JobRef`), or another route shall fetch them
(:class:`HandOver`). Rows may hand over too, once they have seen their first page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class RestLimits:
    """How much is fetched over REST where Bulk API 2.0 could take over.

    A job costs about as many API calls as ten pages, and REST takes ten times the worker's CPU for a row.

    :param rows: of a query.
    :param cells: rows times columns.
    """

    rows: int = 20_000
    cells: int = 2_000_000

    def allow(self, rows: int, columns: int) -> bool:
        """Whether a result is small enough.

        :param rows: of it.
        :param columns: of it.
        """
        return rows <= self.rows and rows * columns <= self.cells


@dataclass(frozen=True)
class Fetch:
    """What a route fetches, and where to.

    :param org: where from.
    :param soql: the query.
    :param sobject: the object that it reads, or None where the query does not show it.
    :param columns: what is known of the columns, in order.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param folder: where to.
    :param file_format: how the parts are written.
    :param parallel_pages: how many pages are fetched at once, where the route can.
    :param may_hand_over: whether another route may take over.
    :param refused_by: the routes that do not offer the object.
    :param before_page: is called before a page is asked for, and may raise to end the download.
    :param rest_limits: how much REST fetches where another route may take over.
    """

    org: ConnectedOrg
    soql: str
    sobject: str | None
    columns: tuple[Column, ...]
    include_deleted: bool
    folder: DataSetFolder
    file_format: OutputFormat
    parallel_pages: int
    may_hand_over: bool
    refused_by: tuple[str, ...]
    before_page: Callable[[], None]
    rest_limits: RestLimits = RestLimits()


@dataclass(frozen=True)
class Origin:
    """Where rows come from, as the receipt, the log and the parts name it.

    :param transport: the name of the route.
    :param title: for messages, e.g. ``job 7505e…``.
    :param stem: stands for the job in the names of the parts: its id, or what
        :func:`~airflow_provider_sfjwt.files.data_sets.data_set.made_up_stem` gives a route that has no jobs.
    :param job_id: the Bulk API 2.0 job; None where the route has no jobs.
    :param api_version: in which the query runs.
    :param joined: where the rows are those of several jobs: each of them. They have no stem in common.
    """

    transport: str
    title: str
    stem: str
    job_id: str | None
    api_version: str
    joined: tuple[Origin, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """What stands for the jobs in the names of the parts."""
        return tuple(each.stem for each in self.joined) or (self.stem,)


@dataclass(frozen=True)
class Result:
    """All rows, in parts.

    :param parts: in the order of the result.
    :param declared: rows that Salesforce declared, summed over the pages.
    :param counted: rows that Salesforce counted in all, for the job or the query; None where it did not say.
    :param columns: of the parts, in order.
    :param rounded: how many numbers of a column were rounded, by its name.
    :param needs_count: whether ``counted`` must equal the rows. False where Salesforce does not count the rows of this
        object, and the last page itself said that nothing follows.
    :param api_calls: what pages have cost that other tasks fetched.
    :param jobs: where the rows are those of several jobs: ``id``, ``soql`` and ``records`` of each.
    """

    parts: tuple[OutputFile, ...]
    declared: int
    counted: int | None
    columns: tuple[Column, ...]
    rounded: Mapping[str, int]
    needs_count: bool = True
    api_calls: int = 0
    jobs: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True)
class HandOver:
    """Another route shall fetch the rows. What this one wrote is removed.

    :param route: its name in the table of routes.
    :param reason: for the log.
    """

    route: str
    reason: str


class Rows(Protocol):
    """Rows that Salesforce has ready."""

    @property
    def origin(self) -> Origin:
        """Where they come from."""

    def fetch(self) -> Result | HandOver:
        """Fetch them all into parts.

        :raises TooLargeNumbersError: for numbers that do not fit their columns: the columns must be widened, and all
            rows fetched again.
        :raises ProtocolError: when the pages do not add up to a result.
        """

    def kept_in(self, columns: tuple[Column, ...]) -> Rows:
        """The same rows, to be kept in columns of other types.

        :param columns: of the same names, in the same order.
        """


class Route(Protocol):
    """One way to fetch the rows of an extract."""

    def __init__(self, fetch: Fetch) -> None: ...

    def ask(self) -> Rows | JobRef | HandOver:
        """Ask Salesforce for the rows.

        :return: the rows; or a job that must end first; or the route that shall be asked instead.
        :raises ConfigurationError: for a query that this route cannot carry.
        """


def refuse_repetition(this: K, seen: set[K], complaint: str) -> None:
    """End a download in which something comes twice that can only come once.

    :param this: what came now.
    :param seen: what came before; it is added.
    :param complaint: what it means that it came twice.
    :raises ProtocolError: with the complaint.
    """
    if this in seen:
        raise ProtocolError(complaint)
    seen.add(this)
