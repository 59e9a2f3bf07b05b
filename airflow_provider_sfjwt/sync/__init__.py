"""Many objects kept in step: selection, plan, one chain of receipts and one state per object."""

from __future__ import annotations

from airflow_provider_sfjwt.sync.reading import SyncedReceipt, read_sync

__all__ = ["SyncedReceipt", "read_sync"]
