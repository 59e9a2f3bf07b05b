"""What a task reads and writes, column by column: by its arguments, and then by what an attempt has found out.

Nothing here needs OpenLineage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sfjwt.files.storage.paths import place_named
from airflow_provider_sfjwt.hooks.lineage import KnownOrg, LineageHook, known_org, places_of_source
from airflow_provider_sfjwt.salesforce.api.soql import selected, sobject_of

if TYPE_CHECKING:
    from airflow_provider_sfjwt.extract.plan import Plan
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.load.load import Load
    from airflow_provider_sfjwt.tasks.report.reporting import Draft


class Field(NamedTuple):
    """A column of a data set.

    :param name: its name.
    :param type: as its system calls it; None where that is unknown.
    """

    name: str
    type: str | None = None


@dataclass(frozen=True)
class DataSet:
    """An object, a folder, a file or a table.

    :param namespace: of the system that has it, e.g. ``salesforce://acme.my.salesforce.com`` or ``s3://crm``.
    :param name: in that system.
    :param fields: its columns, as far as they are read or written.
    :param conn_id: of an object: the connection's id.
    :param org_id: of an object: the org's id; None where it is not known yet.
    """

    namespace: str
    name: str
    fields: tuple[Field, ...] = ()
    conn_id: str = ""
    org_id: str | None = None


class Origin(NamedTuple):
    """A column that another one is made of.

    :param data_set: that has it.
    :param column: its name.
    """

    data_set: DataSet
    column: str


@dataclass(frozen=True)
class Query:
    """A query that a task runs.

    :param text: the query.
    :param dialect: ``soql``, or the type of the connection that it runs on.
    :param conn_id: of a SQL query: its connection.
    """

    text: str
    dialect: str = "soql"
    conn_id: str = ""


@dataclass(frozen=True)
class Moved:
    """What an attempt has found out about the data that it moves.

    :param sobject: the object, as Salesforce spells it; None where that is not known.
    :param soql: the query of an extract.
    :param columns: the field that each column comes from or goes to: first of the source, then of the target. A source
        that is None says that the value is computed.
    :param job_id: the Bulk API 2.0 job, or the first of several; None over REST.
    :param rows: rows that were written; None before they are.
    :param bytes: that were written into files; None for anything but files.
    :param files: how many files were written; None for anything but files.
    """

    sobject: str | None = None
    soql: str = ""
    columns: tuple[tuple[Field | None, Field], ...] = ()
    job_id: str | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


@dataclass(frozen=True)
class Lineage:
    """What goes from where to where.

    :param sources: what is read.
    :param targets: what is written.
    :param moved: what the attempt has found out.
    :param query: that it runs, if any. A SQL query adds the tables that it reads to the sources.
    """

    sources: tuple[DataSet, ...] = ()
    targets: tuple[DataSet, ...] = ()
    moved: Moved = Moved()
    query: Query | None = None


# -- data sets ---------------------------------------------------------------------------------------------------------


def object_data_set(conn_id: str, sobject: str, org: KnownOrg | None, fields: Iterable[Field] = ()) -> DataSet:
    """An object in its org.

    :param conn_id: the connection's id; it names the org where nothing else does.
    :param sobject: the object.
    :param org: the org, or None where it is not known.
    :param fields: that are read or written.
    """
    host = conn_id if org is None else org.host
    return DataSet(f"salesforce://{host}", sobject, tuple(fields), conn_id, org.org_id if org is not None else None)


def file_data_set(path: str, fields: Iterable[Field] = ()) -> DataSet:
    """A folder or a file.

    :param path: on any object store.
    :param fields: its columns.
    """
    place = place_named(path)
    return DataSet(place.store, place.name, tuple(fields))


def objects(hook: LineageHook, sobject: str | None, fields: Iterable[Field] = ()) -> tuple[DataSet, ...]:
    """The object that a task reads or writes.

    :param hook: of the connection.
    :param sobject: the object, or None where the query does not show it.
    :param fields: that are read or written.
    :return: nothing before the org is known: a name that is none of the org's would stay in the graph.
    """
    org = known_org(hook)
    if org is None or not sobject:
        return ()
    return (object_data_set(hook.salesforce_conn_id, sobject, org, fields),)


# -- what a task has found out -----------------------------------------------------------------------------------------


def moved(draft: Draft | None) -> Moved | None:
    """What an attempt has found out by now.

    :param draft: of the task's report.
    :return: None before anything of the data is known.
    """
    if draft is None:
        return None
    job_id = draft.job_ids[0] if draft.job_ids else None
    if draft.receipt is not None:
        return _published(draft.receipt)
    if draft.load is not None:
        return _loaded(draft.load, job_id)
    plan = draft.extraction.known_plan if draft.extraction is not None else None
    return None if plan is None else _planned(plan, job_id)


def _planned(plan: Plan, job_id: str | None) -> Moved:
    """An extract whose query is known."""
    asked = selected(plan.soql)
    known = asked if len(asked) == len(plan.columns) else [None] * len(plan.columns)
    columns = tuple(
        (
            None if each is None or each.path is None or each.function else Field(column.name, column.type),
            Field(column.name, column.arrow_type),
        )
        for each, column in zip(known, plan.columns, strict=True)
    )
    return Moved(plan.sobject, plan.soql, columns, job_id)


def _published(receipt: Receipt) -> Moved:
    """A data set that is published."""
    soql = receipt.soql or ""
    computed = {each.key for each in selected(soql) if each.path is None or each.function}
    columns = tuple(
        (
            None if column["name"] in computed else Field(column["name"], column["salesforce_type"]),
            Field(column["name"], column["arrow_type"]),
        )
        for column in receipt.columns
    )
    size = sum(part.bytes for part in receipt.parts)
    return Moved(receipt.sobject, soql, columns, receipt.job_id, receipt.records, size, len(receipt.parts))


def _loaded(load: Load, job_id: str | None) -> Moved:
    """A load whose rows are checked; with their number when all have an outcome."""
    columns = tuple((Field(each.source), Field(each.header, str(each.field["type"]))) for each in load.columns)
    report = load.report
    if report is None:
        return Moved(columns=columns, job_id=job_id)
    return Moved(columns=columns, job_id=job_id, rows=report.counts["succeeded"])


# -- the lineage of each kind of task ----------------------------------------------------------------------------------


def query_lineage(hook: LineageHook, soql: str) -> Lineage:
    """Of a query whose rows become an XCom.

    :param hook: of the connection.
    :param soql: the query.
    """
    fields = [Field(each.path) for each in selected(soql) if each.path is not None]
    return Lineage(objects(hook, sobject_of(soql), fields), query=Query(soql))


def extract_lineage(hook: LineageHook, task: Any) -> Lineage:
    """Of an extract: from the object into the folder.

    :param hook: of the connection.
    :param task: the operator.
    """
    found = moved(task.draft) or Moved(sobject_of(task.soql) if task.soql else task.sobject, task.soql or "")
    sources = objects(hook, found.sobject, [source for source, _ in found.columns if source is not None])
    target = file_data_set(task.output_path, [target for _, target in found.columns])
    return Lineage(sources, (target,), found, Query(found.soql) if found.soql else None)


def load_lineage(hook: LineageHook, task: Any) -> Lineage:
    """Of a load: from the files into the object.

    :param hook: of the connection.
    :param task: the operator.
    """
    found = moved(task.draft) or Moved()
    fields = [source for source, _ in found.columns if source is not None]
    sources = tuple(file_data_set(place, fields) for place in places_of_source(task.source))
    targets = () if task.is_dry_run else objects(hook, task.sobject, [target for _, target in found.columns])
    return Lineage(sources, targets, found)
