"""The addresses of the pages, who may see them, and what each shows.

Annotations are not postponed here: FastAPI reads them as they are.
"""

from datetime import datetime, timezone
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_provider_sfjwt.tasks.addresses import PAGES, report_path
from airflow_provider_sfjwt.tasks.report.task_report import TaskReport, UnreadableReportError
from airflow_provider_sfjwt.ui.airflow_internals import (
    Database,
    Place,
    Reader,
    Stored,
    earlier_runs,
    instances,
    readable_reports,
    reads_xcoms,
)
from airflow_provider_sfjwt.ui.instances_page import instances_page
from airflow_provider_sfjwt.ui.overview_page import overview_page
from airflow_provider_sfjwt.ui.rendering import page
from airflow_provider_sfjwt.ui.run_page import run_page

app = FastAPI(title="Salesforce", docs_url=None, redoc_url=None, openapi_url=None)

_WHY = {
    401: "You are not signed in. Sign in to Airflow, then open this page again.",
    403: "You may not read the XComs of this DAG. Who administers Airflow can give you that permission.",
    404: "There is no such page.",
}
#: What Airflow's UI puts into the address of a tab for a task that is not mapped.
_NOT_MAPPED = "{MAP_INDEX}"


@app.exception_handler(AnyHTTPException)
async def refusal(request: Request, error: AnyHTTPException) -> HTMLResponse:
    """Why there is no page, as a page."""
    text = _WHY.get(error.status_code, "This cannot be shown.")
    return page("message", base=_base(request), status=error.status_code, title=f"{error.status_code}", text=text)


@app.get("/", dependencies=[reads_xcoms])
def overview(request: Request, session: Database, reader: Reader) -> HTMLResponse:
    """All objects that the reader may see."""
    base = _base(request)
    shown = overview_page(readable_reports(session, reader), base, datetime.now(timezone.utc))
    return page("overview", base=base, **shown)


@app.get("/report/{dag_id}/{run_id}/{task_id}/{map_index}", dependencies=[reads_xcoms])
def report(request: Request, session: Database, dag_id: str, run_id: str, task_id: str, map_index: str) -> HTMLResponse:
    """The report of a task instance."""
    base, place = _base(request), _place(dag_id, run_id, task_id, map_index)
    found = instances(session, *place[:3])
    own = next((each for each in found if each.place == place), None)
    if own is None and found:
        return page("instances", base=base, **instances_page(place, found, base))
    if own is None:
        raise HTTPException(404)
    siblings = base + report_path(*place[:3]) if len(found) > 1 else ""
    header: dict[str, Any] = {"base": base, "place": place, "siblings": siblings, "count": len(found)}
    try:
        known = TaskReport.from_json(own.content) if own.content is not None else None
    except UnreadableReportError as error:
        return page("nothing", **header, text=str(error))
    if known is None:
        return page("nothing", **header, text=_nothing_yet(own))
    return page("run", **header, **run_page(place, known, earlier_runs(session, place), base))


def _place(dag_id: str, run_id: str, task_id: str, map_index: str) -> Place:
    """The task instance that an address names. Airflow takes the DAG ``~`` for any DAG; here it is none."""
    try:
        index = -1 if map_index == _NOT_MAPPED else int(map_index)
    except ValueError:
        raise HTTPException(404) from None
    if dag_id == "~":
        raise HTTPException(404)
    return Place(dag_id, run_id, task_id, index)


def _base(request: Request) -> str:
    """The path of Airflow's UI, below which these pages are mounted."""
    return str(request.scope.get("root_path", "")).removesuffix(PAGES).rstrip("/")


def _nothing_yet(stored: Stored) -> str:
    state = stored.state or "not started"
    if state in ("success", "failed", "upstream_failed", "skipped", "removed"):
        return (
            f"This task instance is {state} and left no report: it ran with an earlier release of "
            "airflow-provider-sfjwt, was killed, or did not run. Its log says more."
        )
    return f"This task instance is {state}. It reports when it ends; load this page again then."
