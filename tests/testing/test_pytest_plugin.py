from __future__ import annotations

pytest_plugins = ["pytester"]


def test_fixtures(pytester):
    pytester.makeconftest('pytest_plugins = ["airflow_provider_sfjwt.testing.pytest_plugin"]')
    pytester.makepyfile(
        """
        import json, os

        def test_org(simulated_org):
            assert simulated_org.rows("Account")

        def test_connection(salesforce_jwt_connection):
            connection = json.loads(os.environ["AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"])
            assert connection["host"] == salesforce_jwt_connection.url
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
