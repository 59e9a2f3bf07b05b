"""A connection, wherever this installation keeps it."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.cli.output import give_up


def stored_connection(conn_id: str) -> Any:
    """Find a connection wherever this installation keeps some, its database included.

    :param conn_id: its id.
    :raises SystemExit: 2 when there is none, or Airflow cannot read it.
    """
    from airflow.models import Connection

    from airflow_provider_sfjwt.compat import AirflowNotFoundException
    from airflow_provider_sfjwt.hooks.connection_text import HOW_TO_WRITE, fault_of_variable

    try:
        # Only in servers does the way that tasks take lead to the database.
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        fault = fault_of_variable(conn_id)
        if fault is not None:
            give_up(f"Connection '{conn_id}': {fault}.")
        give_up(
            f"There is no connection '{conn_id}' in the secrets backend, the environment or the database that this "
            f"command sees, or Airflow cannot read it: {HOW_TO_WRITE}. 'airflow connections list' shows the database's."
        )
