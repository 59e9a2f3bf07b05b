"""Tests on a running Airflow, which is started once for all of them."""
