"""A query whose rows become the task's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.exceptions import ConfigurationError, counted
from airflow_provider_sfjwt.tasks.errors import airflow_outcome
from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.reporting import reporting

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.tasks.lineage.moved import Lineage

__all__ = ["SalesforceQueryOperator"]


class SalesforceQueryOperator(LineageOperator, BaseOperator):
    """Runs a query over REST and returns its rows to XCom.

    For results that are small by nature: a count, a lookup list, the ids of yesterday's cases. The number of rows is
    bounded, since XCom lives in Airflow's database; ``SalesforceExtractOperator`` takes any number.

    :param soql: the query (templated). Aggregates, sub-queries and parents' fields are all allowed.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param max_rows: how many rows are allowed. A query with more fails; it is never cut short.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = ("soql", "salesforce_conn_id", "api_version")
    template_ext: Sequence[str] = (".soql",)
    template_fields_renderers = {"soql": "sql"}  # noqa: RUF012  # Airflow declares it so
    ui_color = "#d8edff"
    operator_extra_links = (SalesforceReportLink(),)

    def __init__(
        self,
        *,
        soql: str,
        include_deleted: bool = False,
        max_rows: int = 10_000,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.soql = soql
        self.include_deleted = include_deleted
        self.max_rows = max_rows
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Run the query.

        :param context: Airflow's.
        :return: the rows by field name; a parent's fields are a dict of their own, a sub-query's rows a list.
        """
        from itertools import islice

        from airflow_provider_sfjwt.hooks.query import QuerySpec, query_rows

        with airflow_outcome(self), reporting(self, context, "query") as draft:
            spec = QuerySpec.of(self)
            spec.check()
            with self._hook().connect() as org:
                draft.org = org
                rows = list(islice(query_rows(org, spec), spec.max_rows + 1))
            if len(rows) > spec.max_rows:
                raise ConfigurationError(
                    {
                        "max_rows": f"the query has more than {spec.max_rows} rows. Narrow it, raise max_rows, or "
                        "extract it to files with SalesforceExtractOperator"
                    },
                    subject="the task",
                )
            draft.rows, draft.columns = len(rows), list(rows[0]) if rows else []
        self.log.info("The query has %s", counted(len(rows), "row"))
        return rows

    def lineage(self) -> Lineage:
        """The object is read. An XCom is not a data set."""
        from airflow_provider_sfjwt.tasks.lineage.moved import query_lineage

        return query_lineage(self._hook(), self.soql)

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)
