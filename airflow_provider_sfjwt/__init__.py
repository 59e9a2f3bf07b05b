"""Salesforce for Apache Airflow over the OAuth 2.0 JWT bearer flow.

Airflow imports this package to discover the provider, before its configuration exists: it imports nothing.
"""

__version__ = "0.2.0.dev0"
