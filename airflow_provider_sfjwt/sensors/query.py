"""A sensor that waits for rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.sensors.org_sensor import OrgSensor

if TYPE_CHECKING:
    from airflow_provider_sfjwt.hooks.awaited_rows import AwaitedRows
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

__all__ = ["SalesforceQuerySensor"]


class SalesforceQuerySensor(OrgSensor):
    """Waits until a query has enough rows, or until its first row meets a condition.

    Its result is the number of rows that the query has, so that no row comes to Airflow's database. Each look is one
    API call. The arguments of Airflow's sensors (``poke_interval``, ``timeout``, ``soft_fail``, ``exponential_backoff``
    and others) mean the same whether the worker waits or the triggerer.

    :param soql: the query (templated). Of ``SELECT COUNT() FROM …`` the count is what counts, of others the number of
        rows, within their ``LIMIT``.
    :param at_least: how many rows the query must have.
    :param condition: a function of the first row that returns whether the waiting is over, e.g. for ``SELECT
        MAX(CloseDate) newest FROM …``; None for no condition. A sensor that defers needs one that the triggerer can
        import, or its dotted path, e.g. ``my_company.checks.is_closed``.
    :param include_deleted: whether rows in the recycle bin and archived activities count too.
    :param deferrable: whether the triggerer waits, without a worker slot and with one sign-in for all sensors. None:
        what ``[operators] default_deferrable`` says.
    :param start_from_trigger: whether the scheduler gives the task to the triggerer at once, without a worker; from
        Airflow 3.3 on. It is for many sensors that start at once: see the documentation for what does not work then.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0`` (templated); None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = ("soql", "salesforce_conn_id", "api_version")
    template_ext: Sequence[str] = (".soql",)
    template_fields_renderers = {"soql": "sql"}  # noqa: RUF012  # Airflow declares it so
    ui_color = "#d8edff"
    trigger_path = "airflow_provider_sfjwt.triggers.query.SalesforceQueryTrigger"

    def __init__(
        self,
        *,
        soql: str,
        at_least: int = 1,
        condition: Callable[[dict[str, Any]], bool] | str | None = None,
        include_deleted: bool = False,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            salesforce_conn_id=salesforce_conn_id,
            api_version=api_version,
            deferrable=deferrable,
            start_from_trigger=start_from_trigger,
            **kwargs,
        )
        self.soql = soql
        self.at_least = at_least
        self.condition = condition
        self.include_deleted = include_deleted
        self.prepare_start_from_trigger()

    @property
    def spec(self) -> AwaitedRows:
        """The query, and what it must bring."""
        from airflow_provider_sfjwt.hooks.awaited_rows import AwaitedRows

        return AwaitedRows.of(self)

    def trigger_arguments(self) -> dict[str, Any]:
        """The query, what it must bring, and how to wait.

        :raises ConfigurationError: for a condition that the triggerer cannot import.
        """
        from airflow_provider_sfjwt.hooks.awaited_rows import path_of

        return {
            "soql": self.soql,
            "include_deleted": self.include_deleted,
            "at_least": self.at_least,
            "condition": path_of(self.condition),
            "salesforce_conn_id": self.salesforce_conn_id,
            "api_version": self.api_version,
            "poll_interval": self.poke_interval,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": None if self.max_wait is None else self.max_wait.total_seconds(),
        }

    def look(self, org: ConnectedOrg) -> int | None:
        """Run the query once.

        :param org: where.
        :return: how many rows it has, or None while they are too few.
        """
        return org.run(self.spec.rows)

    def result(self, event: Mapping[str, Any]) -> int:
        """The number of rows.

        :param event: what the trigger fired.
        """
        return int(event["rows"])
