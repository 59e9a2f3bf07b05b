"""The methods by which OpenLineage's provider asks an operator what it reads and writes.

https://airflow.apache.org/docs/apache-airflow-providers-openlineage/stable/guides/developer.html
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_sfjwt.tasks.lineage.moved import Lineage
    from airflow_provider_sfjwt.tasks.report.reporting import Draft


class LineageOperator:
    """The methods by which OpenLineage's provider asks an operator for its data sets.

    All three are needed: where an event has none, Airflow takes the outlets of the task for what it writes, also those
    that an extract has for the object that it reads.
    """

    #: What the attempt has found out so far; None before it begins.
    draft: Draft | None = None

    @abstractmethod
    def lineage(self) -> Lineage:
        """What the task reads and writes, as far as that is known by now."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """For the event that the task has begun, or goes on after a deferral."""
        from airflow_provider_sfjwt.tasks.lineage.openlineage import operator_lineage

        return operator_lineage(self.lineage())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """For the event that the task succeeded.

        :param task_instance: not needed.
        """
        return self.get_openlineage_facets_on_start()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """For the event that the task failed.

        :param task_instance: not needed.
        """
        return self.get_openlineage_facets_on_start()
