"""The ways to fetch rows, one row each."""

from __future__ import annotations

from airflow_provider_sfjwt.extract.bulk_route import BulkRoute
from airflow_provider_sfjwt.extract.rest_route import RestRoute
from airflow_provider_sfjwt.extract.route import Route

#: By the names that ``transport`` takes and the receipt shows.
ROUTES: dict[str, type[Route]] = {"bulk": BulkRoute, "rest": RestRoute}
#: The transport that lets a route hand over to another.
AUTO = "auto"


def first_route(transport: str, *, rather_small: bool) -> str:
    """The route that is asked first.

    :param transport: the name of a route, or ``auto``.
    :param rather_small: whether few rows are expected: those of a window, as against all rows of an object. The first
        page over REST then is often the only one, and shows how many rows there are.
    """
    if transport != AUTO:
        return transport
    return "rest" if rather_small else "bulk"
