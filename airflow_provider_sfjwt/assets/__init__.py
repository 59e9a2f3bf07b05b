"""Assets of Salesforce: one whose DAG starts when an object has changed."""

from airflow_provider_sfjwt.assets.watched import changed_window, salesforce_asset

__all__ = ["changed_window", "salesforce_asset"]
