"""A query over REST: what it takes, and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, argument
from airflow_provider_sfjwt.exceptions import ProtocolError, counted
from airflow_provider_sfjwt.salesforce.api import query as query_api
from airflow_provider_sfjwt.salesforce.api.soql import is_count, sobject_of
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


@dataclass(frozen=True, kw_only=True)
class QuerySpec(OrgSpec):
    """What a query takes, with its defaults and checks.

    :param soql: the query.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param max_rows: how many rows a task may return; the hook has no such limit.
    """

    soql: str = argument(arguments.name)
    include_deleted: bool = argument(arguments.flag, default=False)
    max_rows: int = argument(arguments.whole_number(1), default=10_000)


def query_rows(org: ConnectedOrg, spec: QuerySpec) -> Iterator[dict[str, Any]]:
    """Run a query and iterate over its rows, a page in memory at a time.

    :param org: where the query runs.
    :param spec: the query.
    :return: rows by field name; a parent's fields are a dict of their own, a sub-query's rows a list.
    :raises ProtocolError: after the last row, when there were fewer or more than Salesforce counted. Of objects whose
        rows it does not count (``totalSize`` is -1), the last page's ``done`` is the proof.
    """
    page = org.run(query_api.first_page, spec.soql, include_deleted=spec.include_deleted)
    if is_count(spec.soql):
        if page.total_size is None:
            raise ProtocolError(f"Salesforce does not count the rows of this query: {spec.soql}")
        yield {"expr0": page.total_size}
        return
    meter, sobject = org.session.meter, sobject_of(spec.soql) or "unknown"
    meter.count("records_queried", seen := len(page.records), sobject=sobject)
    yield from page.records
    while page.next_path is not None:
        page = org.run(query_api.next_page, page.next_path)
        seen += len(page.records)
        meter.count("records_queried", len(page.records), sobject=sobject)
        yield from page.records
    if page.total_size not in (None, seen):
        brought = counted(seen, "row")
        raise ProtocolError(f"the query brought {brought} where Salesforce counted {page.total_size}: {spec.soql}")
