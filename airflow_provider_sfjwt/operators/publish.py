"""Platform events that a task publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.exceptions import counted
from airflow_provider_sfjwt.tasks.errors import airflow_outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["SalesforcePublishOperator"]


class SalesforcePublishOperator(BaseOperator):
    """Publishes platform events over REST, and returns what became of each.

    Each event is published at least once: a request whose end is unclear is sent again, and a retry of the task
    publishes all events again. ``id_field`` lets subscribers drop what they have seen.

    :param event: the API name of the platform event (templated), e.g. ``Order__e``.
    :param events: the events, each a dict of its fields (templated), e.g. another task's output. Any number; 200 are
        one API call. An empty list publishes nothing.
    :param id_field: a text field of at least 36 characters of the event, e.g. ``Message_Id__c`` (templated). An event
        without a value there gets an id that stays the same in another attempt of the task instance. None: no id.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0`` (templated); None for the connection's, or else the newest.

    https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/platform_events_publish_api.htm
    """

    template_fields: Sequence[str] = ("event", "events", "id_field", "salesforce_conn_id", "api_version")
    template_fields_renderers = {"events": "json"}  # noqa: RUF012  # Airflow declares it so
    ui_color = "#d8edff"

    def __init__(
        self,
        *,
        event: str,
        events: Sequence[Mapping[str, Any]],
        id_field: str | None = None,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event = event
        self.events = events
        self.id_field = id_field
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Publish the events.

        :param context: Airflow's.
        :return: of each event, in their order: ``accepted``, ``uuid`` (the ``EventUuid`` that subscribers see), ``id``
            (what ``id_field`` has, or None) and ``errors``.
        """
        from airflow_provider_sfjwt.hooks.publish import PublishSpec, check_all_accepted, published
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        with airflow_outcome(self):
            spec = PublishSpec.of(self, scope=_scope(context))
            spec.check()
            with SalesforceJwtHook(spec.salesforce_conn_id, api_version=spec.api_version).connect() as org:
                results = published(org, spec)
            check_all_accepted(spec, results)
        self.log.info("Salesforce accepted %s of %s", counted(len(results), "event"), spec.event)
        return results


def _scope(context: Mapping[str, Any]) -> str:
    """The task instance, which its attempts share; empty outside a task run."""
    instance = context.get("ti")
    if instance is None:
        return ""
    return "/".join(str(each) for each in (instance.dag_id, instance.run_id, instance.task_id, instance.map_index))
