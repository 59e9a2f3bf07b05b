"""Everything of Airflow's API server and database that the pages use: who may read what, and the reports in XCom.

These are Airflow's internals, which a release may move. An import that fails makes the pages answer 501; nothing else
of this package needs them. Permissions are Airflow's own: a page of a DAG needs what reading its XComs needs.

Annotations are not postponed here: FastAPI reads them as they are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_provider_sfjwt.tasks.report.task_report import KEY

Database = SessionDep
Reader = GetUserDep
#: Lets pass who may read the XComs of the DAG that the path names as ``dag_id``; without one, of any DAG.
reads_xcoms = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

#: Instances of one mapped task, and runs of one task, that a page shows.
_MOST_INSTANCES, _MOST_RUNS = 500, 30
#: Reports that the overview looks at, the newest first.
_MOST_REPORTS = 2_000


class Place(NamedTuple):
    """A task instance.

    :param map_index: -1 for a task that is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


class Stored(NamedTuple):
    """An XCom with a report.

    :param place: whose it is.
    :param content: decoded; None where the task instance has none.
    :param stored_at: when it was written, or None.
    :param state: of the task instance, e.g. ``success``; empty where that was not asked for.
    """

    place: Place
    content: Any
    stored_at: datetime | None
    state: str = ""


def instances(session: Session, dag_id: str, run_id: str, task_id: str) -> list[Stored]:
    """The instances of a task in a run, each with its report.

    :param session: of Airflow's database.
    :param dag_id: of the DAG.
    :param run_id: of the DAG run.
    :param task_id: of the task.
    :return: by map index, the first 500; one with the index -1 for a task that is not mapped.
    """
    found = session.execute(
        select(TaskInstance.map_index, TaskInstance.state)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
        .order_by(TaskInstance.map_index)
        .limit(_MOST_INSTANCES)
    ).all()
    reports = session.execute(
        select(XComModel.map_index, XComModel.value, XComModel.timestamp).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.task_id == task_id, XComModel.key == KEY
        )
    ).all()
    known = {index: (content, stored_at) for index, content, stored_at in reports}
    return [
        Stored(Place(dag_id, run_id, task_id, index), *known.get(index, (None, None)), str(state or ""))
        for index, state in found
    ]


def earlier_runs(session: Session, place: Place) -> list[Stored]:
    """The reports of a task over its runs, the newest first.

    :param session: of Airflow's database.
    :param place: one of its instances; the others have the same map index.
    """
    return _stored(
        session,
        (
            XComModel.dag_id == place.dag_id,
            XComModel.task_id == place.task_id,
            XComModel.map_index == place.map_index,
        ),
        _MOST_RUNS,
    )


def readable_reports(session: Session, user: BaseUser) -> list[Stored]:
    """The newest reports of the DAGs that somebody may read.

    :param session: of Airflow's database.
    :param user: who reads.
    """
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
    return _stored(session, (XComModel.dag_id.in_(sorted(readable)),), _MOST_REPORTS)


def _stored(session: Session, conditions: Sequence[Any], most: int) -> list[Stored]:
    columns = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
    found = session.execute(
        select(*columns, XComModel.value, XComModel.timestamp)
        .where(XComModel.key == KEY, *conditions)
        .order_by(XComModel.timestamp.desc())
        .limit(most)
    ).all()
    return [Stored(Place(*row[:4]), row[4], row[5]) for row in found]
