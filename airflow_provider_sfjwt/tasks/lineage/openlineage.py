"""Lineage in the classes of OpenLineage. Only OpenLineage's provider leads here, so that its packages are installed.

https://openlineage.io/docs/spec/facets/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from openlineage.client import event_v2, facet_v2

from airflow_provider_sfjwt.tasks.lineage.moved import DataSet, Lineage, Origin
from airflow_provider_sfjwt.tasks.lineage.tables import tables_read

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_SALESFORCE = "salesforce://"


def operator_lineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """What an operator's methods return to OpenLineage's provider.

    :param lineage: of the task.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    sources, origins, query = lineage.sources, None, lineage.query
    job_facets: dict[str, Any] = {}
    run_facets: dict[str, Any] = {}
    if query is not None:
        job_facets["sql"] = facet_v2.sql_job.SQLJobFacet(query=query.text, dialect=query.dialect)
        if query.conn_id:
            tables, origins = tables_read(query)
            sources = (*sources, *tables)
    org = next((each for each in (*lineage.sources, *lineage.targets) if each.namespace.startswith(_SALESFORCE)), None)
    if lineage.moved.job_id is not None and org is not None:
        run_facets["externalQuery"] = facet_v2.external_query_run.ExternalQueryRunFacet(
            externalQueryId=lineage.moved.job_id, source=f"https://{org.namespace.removeprefix(_SALESFORCE)}"
        )
    columns = _column_lineage(lineage, sources, origins)
    written = _statistics(lineage)
    return OperatorLineage(
        inputs=[data_set(each, event_v2.InputDataset) for each in sources],
        outputs=[
            data_set(each, event_v2.OutputDataset, facets=columns, outputFacets=written) for each in lineage.targets
        ],
        run_facets=run_facets,
        job_facets=job_facets,
    )


def data_set(known: DataSet, kind: Any = event_v2.Dataset, *, facets: Any = None, **others: Any) -> Any:
    """A data set of OpenLineage.

    :param known: the data set.
    :param kind: the class: of an input, an output, or neither.
    :param facets: besides those that describe it.
    :param others: what else the class takes.
    """
    return kind(known.namespace, known.name, facets={**_description(known), **(facets or {})}, **others)


def _description(known: DataSet) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if known.fields:
        schema = facet_v2.schema_dataset
        facets["schema"] = schema.SchemaDatasetFacet(
            fields=[schema.SchemaDatasetFacetFields(name=each.name, type=each.type) for each in known.fields]
        )
    if known.conn_id and known.org_id:
        symlinks = facet_v2.symlinks_dataset
        facets["salesforce_org"] = _org_facet()(orgId=known.org_id, connectionId=known.conn_id)
        # Under this name it is an asset of Airflow.
        by_connection = symlinks.Identifier(f"{_SALESFORCE}{known.conn_id}", known.name, "AIRFLOW_ASSET")
        facets["symlinks"] = symlinks.SymlinksDatasetFacet(identifiers=[by_connection])
    return facets


@cache
def _org_facet() -> Any:
    """The class of the facet that names an org. OpenLineage asks for a prefix in the names of others' facets."""
    import attr

    @attr.define
    class SalesforceOrgDatasetFacet(facet_v2.DatasetFacet):  # type: ignore[misc,unused-ignore]
        orgId: str  # noqa: N815
        connectionId: str  # noqa: N815

        @staticmethod
        def _get_schema() -> str:
            return "urn:airflow-provider-sfjwt:SalesforceOrgDatasetFacet"

    return SalesforceOrgDatasetFacet


def _column_lineage(
    lineage: Lineage, sources: Sequence[DataSet], origins: dict[str, tuple[Origin, ...]] | None
) -> dict[str, Any]:
    """What each column of the target is made of: the same values (IDENTITY), unless a SQL query may compute them."""
    facet = facet_v2.column_lineage_dataset
    same = facet.Transformation(type="DIRECT", subtype="IDENTITY")

    def inputs(column: str) -> Iterator[Any]:
        if origins is None:
            for each in sources:
                yield facet.InputField(each.namespace, each.name, column, [same])
            return
        for origin in origins.get(column, ()):
            yield facet.InputField(origin.data_set.namespace, origin.data_set.name, origin.column)

    fields = {
        target.name: facet.Fields(inputFields=found)
        for source, target in lineage.moved.columns
        if source is not None and (found := list(inputs(source.name)))
    }
    return {"columnLineage": facet.ColumnLineageDatasetFacet(fields=fields)} if fields else {}


def _statistics(lineage: Lineage) -> dict[str, Any]:
    moved = lineage.moved
    if moved.rows is None:
        return {}
    statistics = facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=moved.rows, size=moved.bytes, fileCount=moved.files
    )
    return {"outputStatistics": statistics}
