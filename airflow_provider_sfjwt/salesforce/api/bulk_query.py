"""Bulk API 2.0 query: a job is created from SOQL, and its result comes in pages.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, NotFoundError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import soql as soql_text
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef, decode_job
from airflow_provider_sfjwt.salesforce.api.org import describe
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Flow, Response
from airflow_provider_sfjwt.salesforce.wire.json_text import whole_number

#: ``resultPages`` came with this version.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results_parallel.htm
_RESULT_PAGES_SINCE = 58.0
#: Types that Bulk API 2.0 cannot return.
#: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
NOT_IN_BULK = frozenset({"address", "location", "base64", "complexvalue", "JunctionIdList"})


class PageContent(Protocol):
    """What a page's sink returns: how many records it took, and anything else."""

    @property
    def records(self) -> int:
        """Rows, the header not counted."""
        ...


@dataclass(frozen=True)
class ResultPage:
    """One page of a result, taken whole and counted.

    :param content: what the sink returned.
    :param declared: how many records Salesforce declared, and the sink counted.
    :param next_locator: the locator of the next page, or None after the last.
    """

    content: Any
    declared: int
    next_locator: str | None


def create_query_job(session: Session, soql: str, *, include_deleted: bool = False) -> Flow[Job]:
    """Create a query job.

    :param session: the conversation.
    :param soql: the query.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :raises ConfigurationError: when Salesforce refuses the SOQL, naming what Bulk API 2.0 cannot do.
    :raises ApiError: when it refuses for another reason.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_create_job.htm
    """
    api_version = yield from session.api_version()
    order = {
        "operation": "queryAll" if include_deleted else "query",
        "query": soql,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    try:
        answer = yield from session.json("POST", "jobs/query", json_body=order)
    except ApiError as refusal:
        if refusal.status == 400 and not refusal.retryable:
            yield from _explain_refusal(session, soql, refusal)
        raise
    return decode_job(answer, kind="query", api_version=api_version)


def is_not_offered(refusal: ApiError) -> bool:
    """Whether Salesforce refused a job because Bulk API 2.0 does not have the object, which REST may have.

    :param refusal: of :func:`create_query_job`.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
    """
    return refusal.status == 400 and refusal.has_code("INVALIDENTITY")


def _explain_refusal(session: Session, soql: str, refusal: ApiError) -> Flow[None]:
    """Raise what the author of the SOQL can act on, where Salesforce's own words name no field."""
    said = "; ".join(" ".join(item.message.split()) for item in refusal.items)
    features = soql_text.not_in_bulk(soql)
    if features:
        raise ConfigurationError(
            {
                "soql": f"Bulk API 2.0 cannot run {' and '.join(features)}; run the query over REST. Salesforce "
                f"said: {said}"
            },
            subject="the query",
        ) from None
    if "compound" in said.lower():
        sobject = soql_text.sobject_of(soql)
        description = (yield from describe(session, sobject)) if sobject else {"fields": ()}
        types = {each["name"].lower(): each["type"] for each in description["fields"]}
        paths = [each.path for each in soql_text.selected(soql) if each.path]
        named = [path for path in paths if types.get(path.lower()) in NOT_IN_BULK]
        raise ConfigurationError(
            {
                "soql": f"Bulk API 2.0 cannot return the compound field {', '.join(named) or 'in the field list'} of "
                f"{sobject or 'its object'}. Select its parts instead, e.g. BillingStreet and BillingCity for "
                f"BillingAddress. Salesforce said: {said}"
            },
            subject="the query",
        ) from None


def result_page(
    session: Session,
    ref: JobRef,
    locator: str | None,
    sink: Callable[[Body, int | None], PageContent],
) -> Flow[ResultPage]:
    """Fetch one page of a result, and count it.

    A page that came short or long is fetched again, since it can be asked for as often as one likes.

    :param session: the conversation.
    :param ref: a job in ``JobComplete``.
    :param locator: which page; None for the first.
    :param sink: takes the CSV as it arrives, header first, and how many records Salesforce declared, or None; called
        anew for every attempt. It may leave what it does not want unread.
    :return: the page, whose record count equals what Salesforce declared for it.
    :raises ProtocolError: when the count still differs after all attempts, or was not declared.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results.htm
    """
    path = yield from session.path(f"{ref.resource}/results", ref.api_version)

    def take(head: Response, body: Body) -> PageContent:
        return sink(body, _declared(head))

    for attempt in range(1, session.policy.attempts + 1):
        response = yield from session.call(
            "GET", path, params={"locator": locator}, headers={"Accept": "text/csv"}, sink=take
        )
        declared = _declared(response)
        if declared is not None and declared == response.sunk.records:
            return ResultPage(response.sunk, declared, _next_locator(response))
        if attempt < session.policy.attempts:
            yield from flow.pause(session.policy.delay(attempt, None))
    said = "no number" if declared is None else str(declared)
    raise ProtocolError(
        f"a result page of job {ref.id} (locator {locator or 'none, the first page'}) brought {response.sunk.records} "
        f"records where Salesforce declared {said}, {session.policy.attempts} times",
        remedy="Something between here and Salesforce may change answers: check Proxy.",
    )


def _declared(response: Response) -> int | None:
    return whole_number(response.headers.get("sforce-numberofrecords", ""))


def _next_locator(response: Response) -> str | None:
    # The last page says "null", in four letters.
    locator = response.headers.get("sforce-locator", "").strip()
    return None if locator in ("", "null") else locator


@dataclass(frozen=True)
class ResultLinks:
    """Some of a result's pages, by their locators.

    :param locators: in order; None stands for the first page where Salesforce names no locator.
    :param next_path: the path of the further links, or None after the last.
    """

    locators: tuple[str | None, ...]
    next_path: str | None


def result_links(session: Session, ref: JobRef, path: str | None = None) -> Flow[ResultLinks | None]:
    """Ask for the links of up to five pages, so that they can be fetched at once.

    :param session: the conversation.
    :param ref: a job in ``JobComplete``.
    :param path: as :attr:`ResultLinks.next_path` said; None for the first links.
    :return: the links, or None when the org does not offer them: the pages then come one after another.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results_parallel.htm
    """
    if float(ref.api_version) < _RESULT_PAGES_SINCE:
        return None
    try:
        answer = yield from session.json("GET", path or f"{ref.resource}/resultPages", api_version=ref.api_version)
    except NotFoundError:
        answer = None
    except ApiError as refusal:
        if refusal.status != 409:
            raise
        answer = None
    if answer is None:
        if path is not None:
            raise ProtocolError(f"the further result links of job {ref.id} are gone")
        return None
    try:
        # The guide's text says resultUrl, its schema resultLink.
        links = [link.get("resultUrl") or link["resultLink"] for link in answer["resultPages"]]
        next_path = None if answer["done"] else answer["nextRecordsUrl"]
        if not isinstance(next_path, str | None) or not all(isinstance(link, str) for link in links):
            raise TypeError
        return ResultLinks(tuple(map(_locator_in, links)), next_path)
    except (TypeError, KeyError, AttributeError, ValueError):
        raise ProtocolError(f"the result links of job {ref.id} lack resultPages, done or nextRecordsUrl") from None


def _locator_in(link: str) -> str | None:
    values = parse_qs(urlsplit(link).query).get("locator")
    return values[0] if values else None
