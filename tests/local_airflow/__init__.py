"""A real Airflow on this machine, on SQLite, for the demo and for the tests that need one."""
