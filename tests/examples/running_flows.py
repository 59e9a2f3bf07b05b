"""The same flow from a thread and from an event loop: the docs include these functions, a test runs them."""

from __future__ import annotations

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api import org as org_api


# [START connect]
def calls_left() -> int:
    with SalesforceJwtHook().connect() as org:
        return int(org.run(org_api.limits)["DailyApiRequests"]["Remaining"])


# [END connect]


# [START aconnect]
async def acalls_left() -> int:
    async with SalesforceJwtHook().aconnect() as org:
        return int((await org.run(org_api.limits))["DailyApiRequests"]["Remaining"])


# [END aconnect]
