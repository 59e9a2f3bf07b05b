"""The turn of one object in a run: all that is known before its rows are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject
from airflow_provider_sfjwt.sync.root import SyncRoot
from airflow_provider_sfjwt.sync.spec import ObjectSpec, SyncSpec
from airflow_provider_sfjwt.sync.state import ObjectState


@dataclass(frozen=True)
class Turn:
    """One object in one run.

    :param spec: of the sync.
    :param root: of the sync.
    :param asked: what the author asks for this object.
    :param described: the object.
    :param state: after the last run.
    :param cursor_field: that the windows follow, or None where each run extracts all rows.
    :param window: the rows of this run; None for all rows.
    :param end: of what the run covers.
    :param folder: name of the data set's folder, in the object's.
    """

    spec: SyncSpec
    root: SyncRoot
    asked: ObjectSpec
    described: DescribedObject
    state: ObjectState
    cursor_field: str | None
    window: Window | None
    end: datetime
    folder: str

    @property
    def sobject(self) -> str:
        """The object."""
        return self.described.name

    @property
    def path(self) -> str:
        """The data set's folder."""
        return f"{self.root.object_path(self.sobject)}/{self.folder}"
