"""The descriptions of a sync's objects."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


class Descriptions:
    """Describes objects to a sync."""

    def listed(self, org: ConnectedOrg) -> list[dict[str, Any]]:
        """The org's objects, without fields.

        :param org: the org.
        """
        return org.run(org_api.describe_global)

    def of(self, org: ConnectedOrg, sobject: str) -> dict[str, Any]:
        """An object's description.

        :param org: whose calls count.
        :param sobject: the object.
        """
        return org.run(org_api.describe, sobject)
