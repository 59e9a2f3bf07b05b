"""Calls of REST resources and of Apex REST methods, whose answer becomes the task's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.tasks.errors import airflow_outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.hooks.rest import RestSpec

__all__ = ["SalesforceApexRestOperator", "SalesforceRestOperator"]


class SalesforceRestOperator(BaseOperator):
    """Calls any resource of Salesforce's REST API and returns its answer to XCom.

    For composite requests, reports, actions and all else that no operator of its own does. The host is the
    connection's: the access token goes nowhere else. A request is sent again only where that is safe: a GET or HEAD, a
    request that was certainly not processed, or one that is ``idempotent``. If it is unknown whether another request
    was processed, the task fails and is not retried.

    :param path: the resource (templated): what follows the API version (``composite``, ``limits``), or a whole path
        (``/services/data/v66.0/limits``). A URL of another host is refused.
    :param method: the HTTP method (templated).
    :param query: parameters of the query string (templated); None values are left out.
    :param payload: what to send as JSON (templated): a value, JSON text, or the name of a template file that ends in
        ``.json``. None sends nothing.
    :param headers: in addition to those of the connection (templated), e.g. ``{"Sforce-Call-Options": "client=…"}``.
        Airflow shows rendered templates: keep secrets out.
    :param idempotent: whether it does no harm when Salesforce processes the request twice; None: only for GET and HEAD.
    :param response_check: a function of the decoded answer that returns whether it is a success. None: an answer fails
        the task when it reports a failed part of a composite request, of records or of an action.
    :param response_filter: a function of the decoded answer that returns the task's result. None: the answer itself.
    :param max_result_bytes: bytes that the result may have as JSON. A larger one fails the task; it is never cut short.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0`` (templated); None for the connection's, or else the newest.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_list.htm
    """

    template_fields: Sequence[str] = (
        "path",
        "method",
        "query",
        "payload",
        "headers",
        "salesforce_conn_id",
        "api_version",
    )
    template_ext: Sequence[str] = (".json",)
    template_fields_renderers = {"query": "json", "payload": "json", "headers": "json"}  # noqa: RUF012  # Airflow's
    ui_color = "#d8edff"

    def __init__(
        self,
        *,
        path: str,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        response_check: Callable[[Any], bool] | None = None,
        response_filter: Callable[[Any], Any] | None = None,
        max_result_bytes: int = 1_000_000,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.method = method
        self.query = query
        self.payload = payload
        self.headers = headers
        self.idempotent = idempotent
        self.response_check = response_check
        self.response_filter = response_filter
        self.max_result_bytes = max_result_bytes
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version

    def execute(self, context: Context) -> Any:
        """Call the resource.

        :param context: Airflow's.
        :return: the decoded JSON, text where Salesforce answers with text, or None for an empty answer, after
            ``response_filter``; None where the task pushes no XCom.
        """
        from airflow_provider_sfjwt.hooks.rest import answer_of, result_of
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        with airflow_outcome(self):
            spec = self._spec()
            spec.check()
            hook = SalesforceJwtHook(spec.salesforce_conn_id, api_version=spec.api_version)
            with hook.connect() as org:
                answer = answer_of(org, spec)
            self.log.info("%s %s succeeded", spec.verb, spec.resource.partition("?")[0])
            return result_of(answer, spec) if self.do_xcom_push else None

    def _spec(self) -> RestSpec:
        from airflow_provider_sfjwt.hooks.rest import RestSpec

        return RestSpec.of(self)


class SalesforceApexRestOperator(SalesforceRestOperator):
    """Calls a method of an Apex REST class (``@RestResource``) and returns its answer to XCom.

    The arguments are those of :class:`SalesforceRestOperator`, with two differences:

    :param path: what follows ``/services/apexrest/`` (templated), e.g. ``invoices/v1``; with the namespace where the
        class is of a managed package.
    :param response_check: None: every answer with a status of 2xx is a success, since its form is the class's own.

    https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_rest_methods.htm
    """

    def _spec(self) -> RestSpec:
        from airflow_provider_sfjwt.hooks.rest import ApexRestSpec

        return ApexRestSpec.of(self)
