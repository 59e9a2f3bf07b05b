"""The ledger: one row for each data set that was merged into a table, written in the same transaction as its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables.database import Database, Target

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
    from airflow_provider_sfjwt.files.storage.receipts import Writer

_TEXT, _COUNT, _MOMENT = "text", "bigint", "moment"
#: The columns, in order, and what they hold.
_COLUMNS = {
    "target": _TEXT,
    "receipt_sha256": _TEXT,
    "sobject": _TEXT,
    "org_id": _TEXT,
    "window_start": _MOMENT,
    "window_end": _MOMENT,
    "mode": _TEXT,
    "records": _COUNT,
    "inserted": _COUNT,
    "updated": _COUNT,
    "deleted": _COUNT,
    "columns_added": _TEXT,
    "dag_id": _TEXT,
    "run_id": _TEXT,
    "task_id": _TEXT,
    "map_index": _COUNT,
    "folder": _TEXT,
    "package_version": _TEXT,
    "applied_at": _MOMENT,
}


class Ledger:
    """What was merged into one table.

    :param database: in its transaction.
    :param table: the ledger.
    :param target: the table that rows are merged into.
    """

    def __init__(self, database: Database, table: Target, target: Target) -> None:
        self._database = database
        self._table = table
        self._target = target.name

    def create(self) -> None:
        """Create the ledger where there is none. One that is there takes no right to create tables."""
        if self._database.columns_of(self._table) is not None:
            return
        types = {_MOMENT: self._database.moment}
        columns = ", ".join(f"{name} {types.get(kind, kind)}" for name, kind in _COLUMNS.items())
        key = "PRIMARY KEY (target, receipt_sha256)"
        self._database.run(f"CREATE TABLE IF NOT EXISTS {self._table.sql} ({columns}, {key})")

    def applied(self, receipt_sha256: str) -> bool:
        """Whether a data set was merged into the table.

        :param receipt_sha256: of its receipt.
        """
        return bool(self._query("receipt_sha256", "AND receipt_sha256 = ?", receipt_sha256))

    def newest(self) -> str | None:
        """The receipt's SHA-256 of what was merged last, or None."""
        rows = self._query("receipt_sha256", "ORDER BY applied_at DESC LIMIT 1")
        return str(rows[0][0]) if rows else None

    def check_origin(self, data_set: PublishedDataSet) -> None:
        """Refuse a data set of another org or of another object than the table's rows.

        :param data_set: to be merged.
        :raises ConfigurationError: naming both.
        """
        origin = {"sobject": data_set.receipt.sobject, "org_id": data_set.org_id}
        for name, value in origin.items():
            other = self._query(name, f"AND {name} IS NOT NULL AND {name} <> ? LIMIT 1", value) if value else []
            if other:
                kind = "object" if name == "sobject" else "org"
                fault = (
                    f"{self._target} holds rows of the {kind} {other[0][0]}, and {data_set.path} has rows of {value}. "
                    "Give each a table of its own"
                )
                raise ConfigurationError({"table": fault}, subject="the task")

    def check_chain(self, data_set: PublishedDataSet) -> None:
        """Refuse a receipt of a chain before the one that it goes on from.

        :param data_set: to be merged.
        :raises ConfigurationError: naming the receipt that is missing.
        """
        previous = data_set.receipt.previous
        if previous is None or data_set.receipt.kind == "full" or self.applied(previous["sha256"]):
            return
        fault = (
            f"{data_set.path} is number {data_set.receipt.sequence} of its chain, and {self._target} lacks the one "
            f"before it, {previous['receipt']}. Merge the receipts of read_sync() in their order"
        )
        raise ConfigurationError({"source": fault}, subject="the task")

    def check_order(self, data_set: PublishedDataSet) -> None:
        """Refuse a window that ends before the newest one that was merged.

        Its rows may have been deleted from Salesforce, and from the table, since then.

        :param data_set: to be merged.
        :raises ConfigurationError: naming both windows.
        """
        window = data_set.receipt.window
        if window is None:
            return
        moment = f"CAST(? AS {self._database.moment})"
        newer = self._query(
            "window_end", f"AND window_end > {moment} ORDER BY window_end DESC LIMIT 1", _utc(window[1])
        )
        if newer:
            fault = (
                f"{data_set.path} ends at {window[1]}, and {self._target} was merged up to {newer[0][0]} already. "
                "Rows that were deleted since then would come back; allow_older=True merges it all the same"
            )
            raise ConfigurationError({"source": fault}, subject="the task")

    def write(
        self, data_set: PublishedDataSet, mode: str, counts: Mapping[str, Any], written_by: Writer | None
    ) -> None:
        """Record a data set. One that is recorded already, as when a table is replaced again, is recorded anew.

        :param data_set: that was merged.
        :param mode: in which.
        :param counts: ``inserted``, ``updated``, ``deleted`` and ``columns_added``.
        :param written_by: the task instance.
        """
        receipt = data_set.receipt
        start, end = map(_utc, receipt.window) if receipt.window else (None, None)
        values = {
            "target": self._target,
            "receipt_sha256": data_set.receipt_sha256,
            "sobject": receipt.sobject,
            "org_id": data_set.org_id,
            "window_start": start,
            "window_end": end,
            "mode": mode,
            "records": receipt.records,
            **counts,
            **{name: getattr(written_by, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")},
            "folder": data_set.path,
            "package_version": __version__,
        }
        names = ", ".join(values)
        marks = ", ".join(self._mark(name) for name in values)
        self._query_delete(data_set.receipt_sha256)
        self._database.run(
            f"INSERT INTO {self._table.sql} ({names}, applied_at) VALUES ({marks}, {self._database.now})",
            tuple(values.values()),
        )

    def _mark(self, name: str) -> str:
        return f"CAST(? AS {self._database.moment})" if _COLUMNS[name] == _MOMENT else "?"

    def _query_delete(self, receipt_sha256: str) -> None:
        if self.applied(receipt_sha256):
            where = "WHERE target = ? AND receipt_sha256 = ?"
            self._database.run(f"DELETE FROM {self._table.sql} {where}", (self._target, receipt_sha256))

    def _query(self, column: str, condition: str, *parameters: Any) -> list[tuple[Any, ...]]:
        sql = f"SELECT {column} FROM {self._table.sql} WHERE target = ? {condition}"
        return self._database.run(sql, (self._target, *parameters))


def _utc(moment: str) -> str:
    """A moment of a window, so that SQLite, which keeps it as text, orders it by time."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return parsed.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
