"""What a sync is asked to do: the arguments of ``SalesforceSyncGroup`` and of ``hook.sync()``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import JobSpec, argument
from airflow_provider_sfjwt.extract.route import RestLimits
from airflow_provider_sfjwt.extract.routes import AUTO, ROUTES
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.files.values.columns import NUMBERS

#: Where deleted rows are looked for.
DELETES = ("recycle_bin", "replicated", "ids")
#: What happens when the fields of an object change.
SCHEMA_CHANGES = ("evolve", "ignore", "fail")
#: What may differ for one object, and the check of each.
_OF_ONE_OBJECT: Mapping[str, arguments.Check] = {
    "where": arguments.optional(arguments.condition),
    "fields": arguments.optional(arguments.names),
    "cursor_field": arguments.optional(arguments.name),
    "transport": arguments.one_of(AUTO, *ROUTES),
}


def _overrides(value: Any) -> str | None:
    """Arguments for single objects, by their names."""
    if not isinstance(value, Mapping) or not all(isinstance(each, Mapping) for each in value.values()):
        return 'must be a dict of dicts, as {"Task": {"where": "IsClosed = true"}}'
    for sobject, given in value.items():
        for name, one in given.items():
            if name not in _OF_ONE_OBJECT:
                return f"of {sobject} has '{name}', which is not one of {', '.join(_OF_ONE_OBJECT)}"
            if fault := _OF_ONE_OBJECT[name](one):
                return f"of {sobject}: {name} {fault}"
    return None


@dataclass(frozen=True)
class ObjectSpec:
    """What may differ for one object.

    :param where: a SOQL condition without ``WHERE``, or None.
    :param fields: field names; None for every field that Bulk API 2.0 can return.
    :param cursor_field: the date-time field that moves with every change; None to choose it.
    :param transport: ``auto``, ``rest`` or ``bulk``.
    """

    where: str | None = None
    fields: Sequence[str] | None = None
    cursor_field: str | None = None
    transport: str = AUTO


@dataclass(frozen=True, kw_only=True)
class SyncSpec(JobSpec):
    """Which objects are kept in step, and where.

    :param objects: names of objects, and patterns with ``*`` and ``?`` over those that can be queried.
    :param output_path: the sync's root.
    :param exclude: names and patterns of objects that are left out.
    :param overrides: ``where``, ``fields``, ``cursor_field`` and ``transport`` of single objects, by their names.
    :param deletes: ``recycle_bin``, ``replicated``, ``ids``, or None.
    :param deletes_every: seconds between two looks at what ``recycle_bin`` does not see.
    :param refresh_formulas: seconds between two looks at formula fields in all rows; None for no such look.
    :param on_schema_change: ``evolve``, ``ignore`` or ``fail``.
    :param commit_lag: seconds for which a row may become visible late.
    :param file_format: ``parquet``, ``csv`` or ``jsonl``.
    :param numbers: how Parquet keeps fractional numbers.
    :param compression: None for the format's default.
    :param rest_rows: how many rows of a window are fetched over REST.
    :param rest_cells: the same, rows times columns.
    :param threads: how many objects are in work at once.
    :param max_failed_objects: how many objects may fail in a run that succeeds.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left; None for no such limit.
    :param parallel_pages: how many result pages of a job are fetched at once.
    :param written_by: the task instance, or None where there is none.
    """

    objects: Sequence[str] = argument(arguments.names)
    output_path: str = argument(arguments.folder)
    exclude: Sequence[str] = argument(lambda value: None if value == () else arguments.names(value), default=())
    overrides: Mapping[str, Mapping[str, Any]] | None = argument(arguments.optional(_overrides), default=None)
    deletes: str | None = argument(arguments.optional(arguments.one_of(*DELETES)), default="recycle_bin")
    deletes_every: float = argument(arguments.seconds, default=86_400)
    refresh_formulas: float | None = argument(arguments.optional(arguments.seconds), default=None)
    on_schema_change: str = argument(arguments.one_of(*SCHEMA_CHANGES), default="evolve")
    commit_lag: float = argument(arguments.number(0, unit="seconds"), default=300)
    file_format: str = argument(arguments.text, default="parquet")
    numbers: str = argument(arguments.one_of(*NUMBERS), default="decimal")
    compression: str | None = argument(arguments.optional(arguments.text), default=None)
    rest_rows: int = argument(arguments.whole_number(0), default=RestLimits.rows)
    rest_cells: int = argument(arguments.whole_number(0), default=RestLimits.cells)
    threads: int = argument(arguments.whole_number(1, 64), default=8)
    max_failed_objects: int = argument(arguments.whole_number(0), default=0)
    min_api_calls_left: int | None = argument(arguments.optional(arguments.whole_number(0)), default=None)
    parallel_pages: int = argument(arguments.whole_number(1), default=4)
    written_by: Writer | None = None

    @property
    def rest_limits(self) -> RestLimits:
        """How much of a window is fetched over REST."""
        return RestLimits(self.rest_rows, self.rest_cells)

    def of_object(self, sobject: str) -> ObjectSpec:
        """What the author asks for one object.

        :param sobject: its name, in any case.
        """
        given = {name.lower(): each for name, each in (self.overrides or {}).items()}
        return ObjectSpec(**given.get(sobject.lower(), {}))

    def condition_sha256(self, sobject: str, cursor_field: str | None) -> str:
        """A SHA-256 in hex of what decides which rows an object's chain holds.

        :param sobject: the object.
        :param cursor_field: that its windows follow, or None.
        """
        asked = (self.of_object(sobject).where or None, cursor_field, self.deletes is not None)
        return sha256(repr(asked).encode()).hexdigest()

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments; empty when the sync can begin."""
        faults = super().faults()
        if not faults.keys() & {"file_format", "compression"}:
            faults |= OutputFormat(self.file_format, self.compression).faults()
        if self.refresh_formulas is not None and importlib.util.find_spec("pyarrow") is None:
            faults["refresh_formulas"] = "needs pyarrow: pip install 'airflow-provider-sfjwt[parquet]'"
        return faults
