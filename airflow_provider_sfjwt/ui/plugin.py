"""The plugin by which Airflow's UI gets the pages of this package.

Every process of Airflow loads it, so that it imports next to nothing.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from airflow_provider_sfjwt.tasks.addresses import PAGES

_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]

_OVERVIEW: dict[str, str] = {
    "name": "Salesforce",
    # Without a slash at its beginning, so that it is below the path of [api] base_url.
    "href": f"{PAGES.lstrip('/')}/",
    "destination": "nav",
    "category": "browse",
}
_TAB: dict[str, str] = {
    "name": "Salesforce",
    "href": f"{PAGES.lstrip('/')}/report/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}/{{MAP_INDEX}}",
    "destination": "task_instance",
    "url_route": "salesforce",
}


class Pages:
    """The pages as an ASGI application, which is built at the first request."""

    def __init__(self) -> None:
        self._app: _App | None = None

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer a request.

        :param scope: ASGI's, and so are the others.
        """
        if self._app is None:
            from airflow_provider_sfjwt.ui.application import application

            self._app = application()
        await self._app(scope, receive, send)


def _views() -> list[dict[str, str]]:
    """The entry in the navigation; and the tab of a task instance, which Airflow shows on every task of every DAG."""
    return [_OVERVIEW, _TAB] if conf.getboolean("salesforce_jwt", "ui_tab", fallback=False) else [_OVERVIEW]


class SalesforcePlugin(AirflowPlugin):
    """Reports of Salesforce tasks, and the overview of their objects."""

    name = "salesforce_jwt"
    fastapi_apps = [{"app": Pages(), "url_prefix": PAGES, "name": "Salesforce"}]  # noqa: RUF012  # Airflow declares it so
    external_views = _views()
