"""Airflow's page of providers, by the API that it asks."""

from __future__ import annotations

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.get_provider_info import get_provider_info
from tests.distribution import DOCUMENTATION_ADDRESS
from tests.local_airflow.stack import LocalAirflow


def test_the_page_of_providers_leads_to_the_documentation(airflow: LocalAirflow) -> None:
    """Airflow takes the address from the metadata of the distribution, and only the label Documentation counts."""
    listed = airflow.api("GET", "providers", params={"limit": 100})["providers"]
    info = get_provider_info()
    (ours,) = [each for each in listed if each["package_name"] == info["package-name"]]
    assert ours["documentation_url"] == DOCUMENTATION_ADDRESS.rstrip("/")
    assert (ours["version"], ours["description"]) == (__version__, info["description"].rstrip("."))
