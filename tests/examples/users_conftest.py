# [START conftest]
pytest_plugins = ["airflow_provider_sfjwt.testing.pytest_plugin"]
# [END conftest]
