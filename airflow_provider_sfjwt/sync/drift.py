"""What to do when the fields of an object change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    from airflow_provider_sfjwt.sync.turn import Turn


def fields_of(org: ConnectedOrg, turn: Turn) -> Sequence[str] | None:
    """The fields that the rows of a window are to have.

    :param org: where the object is.
    :param turn: the object's turn.
    :return: names; None for every field that Bulk API 2.0 can return.
    """
    return turn.asked.fields
