"""How far earlier runs of a task got, remembered with an asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.compat import asset_state_store, has_state_stores, place_of
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.salesforce.api.clock import MOST_APART
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.tasks.assets import TaskWithAssets, asset_of, uri_of

#: Before this there was no Salesforce: the start of the first run with a watermark.
_BEGINNING = datetime.fromisoformat("1999-01-01T00:00:00+00:00")


class Watermark:
    """A moment up to which the rows of an object were extracted, kept with ``salesforce://<conn_id>/<sobject>``.

    The asset stands for the connection and the object; the key within it has the task and the field that it follows. So
    neither the order of what a task is mapped over nor another connection matters. For a task that is not mapped, the
    key is that of release 0.1.0.

    :param context: Airflow's.
    :param task: whose inlets or outlets have the asset. Before Airflow 3.3 they need not have it.
    :param spec: what the task extracts. A watermark that was reached under another condition says nothing of the rows
        that this one adds.
    :param org: where the connection leads to.
    :raises ConfigurationError: when the task does not have the asset, when there is no task run, when the condition
        or the org changed, or when another instance of the task extracted the same object in this run.
    """

    def __init__(self, context: Mapping[str, Any], task: TaskWithAssets, spec: ExtractSpec, org: ConnectedOrg) -> None:
        conn_id, sobject = spec.salesforce_conn_id, spec.sobject or ""
        self._uri = uri_of(conn_id, sobject)
        asset = asset_of([*task.inlets, *task.outlets], conn_id, sobject)
        if asset is None and has_state_stores():
            raise _fault(f'add inlets=[Asset(uri="{self._uri}")] to the task: the watermark is kept with that asset')
        # One spelling, since Salesforce takes the names of objects in upper and lower case.
        store = asset_state_store(context, asset, uri_of(conn_id, sobject.lower()))
        if store is None:
            raise _fault("'watermark' needs a task run, which has the state of the asset: use dag.test()")
        self._store = store
        # Both ids may have dots. Without any in that of the DAG, no two tasks have the same key.
        self._key = f"watermark.{task.dag_id.replace('.', ':')}.{task.task_id}.{spec.cursor_field}"
        self._condition = {"where": spec.where, "include_deleted": spec.include_deleted}
        self._org_id = org.token().org_id
        self._writer = spec.written_by
        self._reached = self._recall()

    def window(self, server_now: datetime, commit_lag: float) -> Window:
        """The rows that changed since the last run.

        :param server_now: the org's clock.
        :param commit_lag: seconds for which a row may become visible late, with an earlier time stamp.
        :raises ConfigurationError: for a watermark in the future, before which no row would ever be new.
        """
        start = self._reached or _BEGINNING
        if (start - server_now).total_seconds() > MOST_APART:
            raise _fault(
                f"the watermark is {start.isoformat()}, which is in the future: the org's clock says "
                f"{server_now.isoformat(timespec='seconds')}. A run with a wrong clock may have moved it. Set "
                f"'reached' in {self._place} back to the end of the last window that is right, or delete it to extract "
                "all rows"
            )
        end = (server_now - timedelta(seconds=commit_lag)).replace(microsecond=0)
        return start, max(start, end)

    def advance(self, window: Window) -> None:
        """Remember how far a published run got. A backfill or a late retry never moves it back.

        :param window: of the run.
        """
        if self._reached is None or window[1] > self._reached:
            state: dict[str, Any] = {"reached": window[1].isoformat(), **self._condition}
            state |= {"org_id": self._org_id} if self._org_id else {}
            state |= {"written_by": asdict(self._writer)} if self._writer else {}
            self._store.set(self._key, state)

    @property
    def _place(self) -> str:
        """Where a user finds it."""
        return f"{place_of(self._store, self._key)} ({self._uri})"

    def _recall(self) -> datetime | None:
        state = self._store.get(self._key)
        if state is None:
            return None
        reached = _reached(state)
        if reached is None:
            raise _fault(
                f"{self._place} holds {str(state)[:200]!r}, which is not what a task writes. Set 'reached' in it to "
                "the end of the last window, with its offset from UTC, such as 2026-01-31T00:00:00+00:00, or delete it "
                "to extract all rows"
            )
        org_id = state.get("org_id")  # release 0.1.0 kept none
        anew = f"or delete {self._place}"
        if self._org_id and org_id and org_id != self._org_id:
            raise _fault(
                f"give the task another task_id to extract all rows of org {self._org_id}, {anew}: the watermark is of "
                f"org {org_id}, to which the connection led before"
            )
        other = Writer.from_json(state.get("written_by"))
        if self._writer is not None and self._writer.conflicts_with(other):
            raise _fault(
                f"give {self._writer} a task of its own: {other} extracted the same object in this run, and moved the "
                "watermark that both would share"
            )
        before = {name: state.get(name) for name in self._condition}
        if before != self._condition:
            raise _fault(
                f"give the task another task_id to extract all rows, {anew}: the watermark was reached with {before} "
                f"and says nothing of the rows that {self._condition} adds. Conditions that a task is mapped over need "
                "a task each"
            )
        return reached


def _reached(state: Any) -> datetime | None:
    """The moment that a state names; None where somebody has changed it to something else."""
    try:
        moment = datetime.fromisoformat(state["reached"])
    except (TypeError, KeyError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def _fault(text: str) -> ConfigurationError:
    return ConfigurationError({"incremental": text}, subject="the task")
