"""Rows of a query as Salesforce writes them: nested JSON records, or lines of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.data.values import csv_text, json_text
from airflow_provider_sfjwt.testing.soql.shape import Children, Compound, Leaf, Node, Parent, Variants

Row = Sequence[Any]
Writer = Callable[[Row], str]


def _leaf_writer(leaf: Leaf, record_url: Writer | None) -> Writer:
    key, index = json.dumps(leaf.key), leaf.index
    write = json_text(leaf.field)
    if leaf.field.type == "base64" and record_url is not None:
        # A blob is never in a record: its URL is.
        return lambda row: f'{key}:"{record_url(row)}/{leaf.field.name}"'
    return lambda row: f"{key}:{'null' if row[index] is None else write(row[index])}"


def _compound_writer(compound: Compound) -> Writer:
    parts = [_leaf_writer(part, None) for part in sorted(compound.parts, key=lambda part: part.key)]
    indexes = [part.index for part in compound.parts]

    def write(row: Row) -> str:
        if all(row[index] is None for index in indexes):
            return f'"{compound.key}":null'
        return f'"{compound.key}":{{{",".join(part(row) for part in parts)}}}'

    return write


def _children_writer(children: Children, id_index: int, store: Store, version: str) -> Writer:
    compiled = children.compiled
    record = record_writer(compiled.row, store, version)

    def write(row: Row) -> str:
        found = store.select(compiled.sql, [*compiled.parameters, row[id_index]])
        if not found:
            return f'"{children.key}":null'
        records = ",".join(map(record, found))
        return f'"{children.key}":{{"totalSize":{len(found)},"done":true,"records":[{records}]}}'

    return write


def record_writer(parent: Parent, store: Store, version: str, aggregate: bool = False) -> Writer:
    """Return what writes one row as a JSON record.

    :param version: API version for the record's URL, such as ``66.0``.
    :param aggregate: rows are AggregateResult, which has no URL.
    """
    if aggregate:
        start: Writer = lambda row: '"attributes":{"type":"AggregateResult"}'  # noqa: E731
        url = None
    else:
        kind, index, name = parent.type_index, parent.id_index, parent.sobject.name

        def url(row: Row) -> str:
            real = name if kind is None else row[kind]
            return f"/services/data/v{version}/sobjects/{real}/{row[index]}"

        def start(row: Row) -> str:
            return f'"attributes":{{"type":"{name}","url":"{url(row)}"}}'

    writers = [start]
    for member in parent.members:
        writers.append(_member_writer(member, parent, url, store, version))
    return lambda row: f"{{{','.join([write(row) for write in writers])}}}"


def _variants_writer(variants: Variants, store: Store, version: str) -> Writer:
    """Return what writes a parent that was selected by TYPEOF; null where nothing of its object was selected."""
    writers = {name: record_writer(branch, store, version) for name, branch in variants.branches.items()}
    otherwise = record_writer(variants.otherwise, store, version) if variants.otherwise is not None else None

    def write(row: Row) -> str:
        kind = row[variants.type_index]
        writer = writers.get(kind, otherwise) if kind is not None else None
        return f'"{variants.key}":{"null" if writer is None else writer(row)}'

    return write


def _member_writer(member: Node, parent: Parent, url: Writer | None, store: Store, version: str) -> Writer:
    if isinstance(member, Leaf):
        return _leaf_writer(member, url)
    if isinstance(member, Compound):
        return _compound_writer(member)
    if isinstance(member, Variants):
        return _variants_writer(member, store, version)
    if isinstance(member, Children):
        return _children_writer(member, parent.id_index, store, version)
    inner, key, index = record_writer(member, store, version), member.key, member.id_index
    return lambda row: f'"{key}":{"null" if row[index] is None else inner(row)}'


class CsvPage:
    """Writes rows as Bulk API 2.0 results: every cell quoted, quotes doubled, null as nothing.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_prepare_csv.htm

    :param leaves: the columns.
    :param delimiter: one character.
    :param line_ending: a newline, or carriage return and newline.
    """

    def __init__(self, leaves: Sequence[Leaf], delimiter: str, line_ending: str) -> None:
        self._leaves = leaves
        self._converters = [csv_text(leaf.field) for leaf in leaves]
        self._dialect = {"delimiter": delimiter, "lineterminator": line_ending, "quoting": csv.QUOTE_ALL}

    def header(self) -> bytes:
        """Return the header line."""
        return self._written([[leaf.key for leaf in self._leaves]])

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Return the lines of some rows."""
        if not rows:
            return b""
        whole = list(zip(*rows, strict=True))
        columns: list[Iterable[Any]] = []
        # Column by column: one loop per column that needs a conversion is much faster than one per cell.
        for leaf, convert in zip(self._leaves, self._converters, strict=True):
            values = whole[leaf.index]
            columns.append(values if convert is None else [None if v is None else convert(v) for v in values])
        return self._written(zip(*columns, strict=True))

    def _written(self, lines: Iterable[Iterable[Any]]) -> bytes:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, **self._dialect).writerows(lines)  # type: ignore[arg-type]
        return buffer.getvalue().encode("utf-8", "replace")
