"""The tests on other versions of Airflow and Python: ``make test-matrix``."""
