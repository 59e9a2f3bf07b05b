"""Many objects kept in step: selection, plan, one chain of receipts and one state per object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sfjwt.sync.reading import SyncedReceipt

__all__ = ["read_sync"]


def read_sync(root: Any, sobject: str | None = None) -> Iterator[SyncedReceipt]:
    """Read what a sync published, each object's receipts in the order in which they are applied.

    Only what a receipt lists is read, and only receipts of the chain: what broken runs left is not.

    :param root: the sync's ``output_path``.
    :param sobject: one object; None for each, in the order of their names.
    :return: the receipts, from the last one that holds all rows of its object, if any, to the newest. Each has
        ``rows()``, ``deletions()``, ``deleted_ids()`` and ``receipt``.
    :raises ConfigurationError: when the root has no such object, or a receipt is gone or was changed.
    """
    # A Dag file imports this package; what reads files is imported where it is used.
    from airflow_provider_sfjwt.sync.reading import synced_receipts

    return synced_receipts(root, sobject)
