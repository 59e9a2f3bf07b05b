"""The ways to fetch rows, one row each."""

from __future__ import annotations

from airflow_provider_sfjwt.extract.bulk_route import BulkRoute
from airflow_provider_sfjwt.extract.rest_route import RestRoute
from airflow_provider_sfjwt.extract.route import Route

#: By the names that ``transport`` takes and the receipt shows.
ROUTES: dict[str, type[Route]] = {"bulk": BulkRoute, "rest": RestRoute}
#: The transport that lets a route hand over to another, and the route that it begins with.
AUTO, FIRST = "auto", "bulk"
