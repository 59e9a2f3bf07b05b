"""What the operators share that merge extracts into tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceReportLink

if TYPE_CHECKING:
    from airflow_provider_sfjwt.tasks.lineage.moved import DataSet, Lineage


class MergeOperator(LineageOperator, BaseOperator):
    """Merges extracts into a table, exactly once.

    :param source: what an extract's task returned, its folder or the path of its receipt, or a list of these; the older
        ones are merged first (templated).
    :param mode: ``merge`` inserts and updates by key, ``append`` inserts every row.
    :param key: the column of the extract, or a list of columns, that tells rows apart.
    :param deleted: what a row with ``IsDeleted`` true does in a merge: ``delete`` removes the table's row, ``mark``
        keeps it with ``IsDeleted`` true, ``ignore`` leaves the table's row as it is.
    :param schema_evolution: ``add`` adds columns that the table lacks; ``fail`` refuses instead.
    :param naming: ``keep`` Salesforce's names as they are, or ``snake`` for ``owner_name``.
    :param column_mapping: the table's column by the extract's column; None leaves a column out (templated).
    :param columns: only these columns of the extract; None for all (templated).
    :param allow_older: whether a window that ends before the newest merged one is merged all the same.
    :param kwargs: those of Airflow's ``BaseOperator``.
    """

    template_fields: Sequence[str] = ("source", "column_mapping", "columns")
    ui_color = "#d8edff"
    operator_extra_links = (SalesforceReportLink(),)

    def __init__(
        self,
        *,
        source: Any,
        mode: str = "merge",
        key: str | Sequence[str] = "Id",
        deleted: str = "delete",
        schema_evolution: str = "add",
        naming: str = "keep",
        column_mapping: Mapping[str, str | None] | None = None,
        columns: Sequence[str] | None = None,
        allow_older: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.mode = mode
        self.key = key
        self.deleted = deleted
        self.schema_evolution = schema_evolution
        self.naming = naming
        self.column_mapping = column_mapping
        self.columns = columns
        self.allow_older = allow_older

    def lineage(self) -> Lineage:
        """The extract goes into the table."""
        from airflow_provider_sfjwt.tasks.lineage.tables import merge_lineage

        return merge_lineage(self, self._target())

    @abstractmethod
    def _target(self) -> DataSet:
        """The table, as lineage names it."""
