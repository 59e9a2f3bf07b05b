"""A Salesforce org that runs on one machine: for demos, for this package's tests and for tests of your own DAGs.

It shares no code with the client, so that it cannot share the client's faults.
"""

from airflow_provider_sfjwt.testing.apex.rest import ApexError, ApexRequest
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.http.faults import Fault
from airflow_provider_sfjwt.testing.http.gateway import LoggedRequest
from airflow_provider_sfjwt.testing.org import SimulatedOrg

__all__ = ["ApexError", "ApexRequest", "Fault", "Field", "LoggedRequest", "SimulatedOrg"]
