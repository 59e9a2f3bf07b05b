"""Where deleted rows of an object are found, before the rows of its window are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    from airflow_provider_sfjwt.sync.turn import Turn


@dataclass(frozen=True)
class Deletions:
    """What is known of deleted rows.

    :param include_deleted: whether the rows of the window include those in the recycle bin.
    :param entry: of the receipt's ``deletes``; None where deletions are not looked for.
    """

    include_deleted: bool
    entry: Mapping[str, Any] | None


def before_rows(org: ConnectedOrg, turn: Turn) -> Deletions:
    """Find what was deleted, before the rows are asked for.

    :param org: where the object is.
    :param turn: the object's turn.
    """
    in_bin = turn.spec.deletes == "recycle_bin" and turn.described.field("IsDeleted") is not None
    return Deletions(in_bin, {"source": "recycle_bin"} if in_bin else None)
