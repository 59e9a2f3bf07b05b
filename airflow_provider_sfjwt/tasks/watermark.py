"""How far earlier runs of a task got, remembered with an asset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.compat import asset_state_store
from airflow_provider_sfjwt.exceptions import ConfigurationError

#: Before this there was no Salesforce: the start of the first run with a watermark.
_BEGINNING = datetime.fromisoformat("1999-01-01T00:00:00+00:00")


class Watermark:
    """A moment up to which the rows of an object were extracted, kept with ``salesforce://<conn_id>/<sobject>``.

    :param context: Airflow's.
    :param outlets: of the task; the asset must be among them.
    :param conn_id: the connection's id.
    :param sobject: the object.
    :param owner: the task, the field that it follows, and the map index of a mapped task. Each has a watermark of its
        own.
    :param condition: what else decides which rows the task sees. A watermark that was reached under another condition
        says nothing of the rows that this one adds.
    :raises ConfigurationError: when the asset is not among the outlets, or the condition changed.
    """

    def __init__(
        self,
        context: Mapping[str, Any],
        outlets: Any,
        *,
        conn_id: str,
        sobject: str,
        owner: str,
        condition: Mapping[str, Any],
    ) -> None:
        from airflow.sdk import Asset

        uri = f"salesforce://{conn_id}/{sobject}"
        wanted = Asset(uri=uri).uri
        self._asset = next((each for each in outlets or () if getattr(each, "uri", None) == wanted), None)
        store = None if self._asset is None else asset_state_store(context, self._asset)
        if self._asset is None or store is None:
            raise ConfigurationError(
                {"incremental": f"'watermark' is kept with the asset: add outlets=[Asset(uri=\"{uri}\")] to the task"},
                subject="the task",
            )
        self._store = store
        self._events = context.get("outlet_events")
        self._key = f"watermark.{owner}"
        self._condition = dict(condition)
        self._reached = self._recall()

    def window(self, server_now: datetime, commit_lag: float) -> Window:
        """The rows that changed since the last run.

        :param server_now: the org's clock.
        :param commit_lag: seconds for which a row may become visible late, with an earlier time stamp.
        """
        start = self._reached or _BEGINNING
        end = (server_now - timedelta(seconds=commit_lag)).replace(microsecond=0)
        return start, max(start, end)

    def advance(self, window: Window, summary: Mapping[str, Any]) -> None:
        """Remember how far a published run got. A backfill or a late retry never moves it back.

        :param window: of the run.
        :param summary: what the task returns; it goes into the asset's event.
        """
        if self._reached is None or window[1] > self._reached:
            self._store.set(self._key, {"reached": window[1].isoformat(), **self._condition})
        if self._events is not None:
            self._events[self._asset].extra = dict(summary)

    def _recall(self) -> datetime | None:
        state = self._store.get(self._key)
        if not isinstance(state, dict):
            return None
        before = {name: state.get(name) for name in self._condition}
        if before != self._condition:
            raise ConfigurationError(
                {
                    "incremental": f"the watermark was reached with {before} and says nothing of the rows that "
                    f"{self._condition} adds. Give the task another task_id to extract all of them, or delete the key "
                    f"'{self._key}' from the state of the asset"
                },
                subject="the task",
            )
        return datetime.fromisoformat(state["reached"])
