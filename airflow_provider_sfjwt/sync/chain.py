"""An object's chain of receipts, followed back from its state: what is not on the way is not in the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.sync.state import ObjectState


def newest_first(root: SyncRoot, state: ObjectState) -> Iterator[PublishedDataSet]:
    """The data sets of an object's chain, the last one first. Each is read when it is asked for.

    :param root: of the sync.
    :param state: of the object.
    :raises ConfigurationError: when a receipt is gone, or is another one than the chain names.
    """
    place: Mapping[str, str] | None = state.previous
    while place is not None:
        folder = f"{root.object_path(state.sobject)}/{place['receipt'].removesuffix(f'/{RECEIPT_NAME}')}"
        data_set = PublishedDataSet(folder)
        if data_set.receipt_sha256 != place["sha256"]:
            fault = (
                f"{folder}/{RECEIPT_NAME} is not the receipt that the chain of {state.sobject} names: it was changed "
                "or replaced. Put it back, or extract all rows anew with sync reset"
            )
            raise ConfigurationError({"output_path": fault}, subject="the sync")
        yield data_set
        place = data_set.receipt.previous


def last_window(root: SyncRoot, state: ObjectState) -> Receipt:
    """The chain's last receipt of whole rows.

    :param root: of the sync.
    :param state: of an object that has a receipt.
    :raises ConfigurationError: as :func:`newest_first` does.
    """
    return next(each.receipt for each in newest_first(root, state) if not each.receipt.only_formulas)


def oldest_first(root: SyncRoot, state: ObjectState) -> list[PublishedDataSet]:
    """The data sets of an object's chain in the order in which they are applied.

    One that holds all rows of the object replaces what was before it, which is left out.

    :param root: of the sync.
    :param state: of the object.
    :raises ConfigurationError: as :func:`newest_first` does.
    """
    found: list[PublishedDataSet] = []
    for data_set in newest_first(root, state):
        found.append(data_set)
        if data_set.receipt.kind == "full":
            break
    return found[::-1]
