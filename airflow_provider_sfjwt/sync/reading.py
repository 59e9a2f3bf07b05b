"""What a sync published, for who reads it: each object's receipts in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.route import RestLimits
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.sync.chain import oldest_first
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.sync.state import States

if TYPE_CHECKING:
    import pyarrow as pa

_ID, _DELETED, _DELETED_AT = "Id", "IsDeleted", "DeletedDate"


class SyncedReceipt:
    """One receipt of an object's chain. Apply its deletions first, then its rows.

    :param data_set: that it is of.
    """

    def __init__(self, data_set: PublishedDataSet) -> None:
        self._data_set = data_set
        #: The receipt, with ``sequence``, ``window``, ``columns``, ``drift`` and ``parts``.
        self.receipt: Receipt = data_set.receipt
        #: In hex, of the receipt's text: what a ledger keeps.
        self.sha256 = data_set.receipt_sha256

    @property
    def sobject(self) -> str:
        """The object."""
        return str(self.receipt.sobject)

    @property
    def path(self) -> str:
        """The folder of the data set."""
        return self._data_set.path

    @property
    def replaces_all(self) -> bool:
        """Whether the rows are all of the object's, so that what was there before goes."""
        return self.receipt.kind == "full"

    @property
    def only_formulas(self) -> bool:
        """Whether its rows have ``Id`` and formula fields alone.

        They change these columns of the rows that are there. A row whose ``Id`` is not there is left out.
        """
        return self.receipt.only_formulas

    def rows(self, columns: Sequence[str] | None = None, *, include_deleted: bool = False) -> pa.RecordBatchReader:
        """The rows, each part compared with the receipt before its first row comes.

        :param columns: names; None for all.
        :param include_deleted: whether rows in the recycle bin are among them; MasterRecordId of merged ones is there.
        :raises ConfigurationError: when a part is gone or was changed, or for a column that the receipt does not have.
        """
        import pyarrow as pa

        from airflow_provider_sfjwt.files.values.from_text import arrow_type_of

        types = {each["name"]: arrow_type_of(each["arrow_type"]) for each in self.receipt.columns}
        if unknown := [name for name in columns or () if name not in types]:
            fault = f"{self.path} has no column {', '.join(unknown)}; it has {', '.join(types)}"
            raise ConfigurationError({"columns": fault}, subject="the sync")
        wanted = list(types) if columns is None else list(columns)
        schema = pa.schema([pa.field(name, types[name]) for name in wanted])
        batches = (
            batch for table in self._tables(wanted, None if include_deleted else False) for batch in table.to_batches()
        )
        return pa.RecordBatchReader.from_batches(schema, batches)

    def deletions(self) -> pa.Table:
        """The records that were deleted, also those that only the recycle bin shows.

        :return: with ``Id`` and ``DeletedDate``: a state of the record that last changed up to that moment is void.
            Null voids every state.
        """
        import pyarrow as pa

        schema = pa.schema([pa.field(_ID, pa.string()), pa.field(_DELETED_AT, pa.timestamp("ms", tz="UTC"))])
        names = {each["name"] for each in self.receipt.columns}
        tables = [table.cast(schema) for table in self._data_set.deletions()]
        changed = self.receipt.cursor_field
        if {_ID, _DELETED, changed} <= names:
            found = self._tables([_ID, str(changed)], True)
            tables += [table.rename_columns([_ID, _DELETED_AT]).cast(schema) for table in found]
        return pa.concat_tables([schema.empty_table(), *tables])

    def deleted_ids(self) -> list[str]:
        """The ids of the records that were deleted. A record that is among the rows as well came back."""
        ids: list[str] = self.deletions()[_ID].unique().to_pylist()
        return ids

    def _tables(self, columns: list[str], deleted: bool | None) -> Iterator[pa.Table]:
        """The rows, some at a time.

        :param columns: names.
        :param deleted: whether those in the recycle bin, or the others; None for all.
        """
        known = {each["name"] for each in self.receipt.columns}
        if deleted is None or _DELETED not in known:
            yield from self._data_set.tables(columns)
            return
        import pyarrow.compute as pc

        for table in self._data_set.tables([*columns, *(() if _DELETED in columns else (_DELETED,))]):
            dead = pc.fill_null(table[_DELETED], False)
            yield table.filter(dead if deleted else pc.invert(dead)).select(columns)


def synced_receipts(root: Any, sobject: str | None) -> Iterator[SyncedReceipt]:
    """What :func:`~airflow_provider_sfjwt.sync.read_sync` yields.

    :param root: the same.
    :param sobject: the same.
    """
    synced = SyncRoot(str(root))
    names = {name.lower(): name for name in synced.objects()}
    if sobject is not None and sobject.lower() not in names:
        fault = f"{root} holds nothing of {sobject}; it has {', '.join(names.values()) or 'no objects'}"
        raise ConfigurationError({"sobject": fault}, subject="the sync")
    for name in sorted(names.values()) if sobject is None else [names[sobject.lower()]]:
        state = States(synced, RestLimits()).recorded(name)
        if state is not None:
            yield from map(SyncedReceipt, oldest_first(synced, state))
