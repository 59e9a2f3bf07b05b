"""Airflow's database with runs in it, and its pages, in this process: what the API server does around the plugin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow import models, settings
from airflow.api_fastapi import app as api_server
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from fastapi import FastAPI
from jwt import InvalidTokenError
from starlette.testclient import TestClient

from airflow_provider_sfjwt.tasks.report.task_report import KEY
from airflow_provider_sfjwt.ui.plugin import SalesforcePlugin

#: Since Airflow 3.4 the class reads both tables of XComs, of which this one is written.
_XCOMS = getattr(models.xcom, "XComModelV2", XComModel)
#: The column of the map index, which Airflow 3.4 has named anew.
_INDEX = "map_index" if "map_index" in TaskInstance.__table__.columns else "region_index"
BEGINNING = datetime(2026, 11, 20, 7, tzinfo=timezone.utc)


class Doorkeeper(SimpleAuthManager):  # type: ignore[misc]
    """Knows one reader, by a token of that name, and the DAGs that may be read.

    :param readable: the ids of these DAGs.
    """

    def __init__(self, readable: set[str]) -> None:
        super().__init__()
        self.readable = readable
        self.asked: list[str | None] = []

    async def get_user_from_token(self, token: str) -> SimpleAuthManagerUser:
        if token != "reader":
            raise InvalidTokenError
        return SimpleAuthManagerUser(username="reader", role="viewer")

    def is_authorized_dag(self, *, method: str, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        assert (method, access_entity.value) == ("GET", "XCOM")
        dag_id = details.id if details else None
        self.asked.append(dag_id)
        return bool(self.readable) if dag_id is None else dag_id in self.readable

    def filter_authorized_dag_ids(self, *, dag_ids: set[str], **_: Any) -> set[str]:
        return dag_ids & self.readable


class Pages:
    """The pages as a browser gets them, and the database behind them.

    :param doorkeeper: who may see what.
    :param path: of ``[api] base_url``.
    """

    def __init__(self, doorkeeper: Doorkeeper, path: str = "") -> None:
        self.doorkeeper = doorkeeper
        self.path = path
        (mounted,) = SalesforcePlugin.fastapi_apps
        root = FastAPI(root_path=path)
        root.mount(mounted["url_prefix"], mounted["app"])
        self._client = TestClient(root, headers={"Authorization": "Bearer reader"})

    def get(self, path: str, **options: Any) -> Any:
        """Ask for a page below ``/salesforce-jwt``."""
        return self._client.get(f"{self.path}/salesforce-jwt{path}", **options)

    def run(
        self,
        dag_id: str,
        run_id: str,
        *contents: Any,
        task_id: str = "task",
        mapped: bool = False,
        state: str = "success",
    ) -> None:
        """Keep a run of a task, with an XCom for each of its instances; None for an instance without one."""
        with settings.engine.begin() as connection:

            def insert(model: Any, **values: Any) -> Any:
                filled = {**_needed(model.__table__), **values}
                return connection.execute(model.__table__.insert().values(**filled))

            when = BEGINNING + timedelta(hours=len(connection.execute(DagRun.__table__.select()).all()))
            if not connection.execute(DagModel.__table__.select().where(DagModel.dag_id == dag_id)).all():
                if not connection.execute(DagBundleModel.__table__.select()).all():
                    insert(DagBundleModel, name="bundle", active=True)
                insert(DagModel, dag_id=dag_id, bundle_name="bundle")
            run = {"dag_id": dag_id, "run_id": run_id}
            (number,) = insert(
                DagRun, **run, state=state, run_type="manual", run_after=when, queued_at=when, logical_date=when
            ).inserted_primary_key
            for index, content in enumerate(contents):
                place = {**run, "task_id": task_id, _INDEX: index if mapped else -1}
                # A text before Airflow 3.3.
                number_of_task = TaskInstance.__table__.c.id.type.python_type(str(uuid.uuid4()))
                insert(TaskInstance, id=number_of_task, **place, state=state)
                owner = {"dag_run_id": number, **place} if _XCOMS is XComModel else {"task_instance_id": number_of_task}
                if content is not None:
                    insert(_XCOMS, **owner, key=KEY, value=content, timestamp=when)


def _needed(table: Any) -> dict[str, Any]:
    """Something for each column that must have a value, which no test looks at."""
    needed = [each for each in table.columns if not (each.nullable or each.default or each.server_default)]
    return {each.name: each.type.python_type() for each in needed if not each.primary_key and not each.foreign_keys}


@contextmanager
def tables() -> Iterator[None]:
    """Airflow's tables, empty, in the database of this process's home."""
    settings.initialize()
    models.import_all_models()
    Base.metadata.create_all(settings.engine)
    try:
        yield
    finally:
        Base.metadata.drop_all(settings.engine)


@contextmanager
def pages(readable: set[str], path: str = "") -> Iterator[Pages]:
    """The pages; what is kept meanwhile is forgotten afterwards.

    :param readable: ids of the DAGs that the reader may read.
    :param path: of ``[api] base_url``.
    """
    # Before Airflow 3.2 the module itself has the auth manager.
    holder: Any = getattr(api_server, "_AuthManagerState", api_server)
    name = "auth_manager" if holder is api_server else "instance"
    before, doorkeeper = getattr(holder, name), Doorkeeper(readable)
    setattr(holder, name, doorkeeper)
    try:
        yield Pages(doorkeeper, path)
    finally:
        setattr(holder, name, before)
        with settings.engine.begin() as connection:
            for model in (_XCOMS, TaskInstance, DagRun, DagModel, DagBundleModel):
                connection.execute(model.__table__.delete())
