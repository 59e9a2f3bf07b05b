"""Airflow's pools, from its command line, which alone may open the metadata database."""

from __future__ import annotations

from airflow_provider_sfjwt.exceptions import ConfigurationError


def make_pool(name: str, slots: int, description: str) -> int | None:
    """Make a pool, unless there is one of that name, which stays as it is. Deferred tasks take no slot of it.

    :param name: of the pool.
    :param slots: tasks that run at once.
    :param description: for people.
    :return: the slots of the pool that was there; None where it was made.
    :raises ConfigurationError: when the database cannot be read or written.

    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/pools.html
    """
    from airflow.models.pool import Pool
    from sqlalchemy.exc import SQLAlchemyError

    try:
        found = Pool.get_pool(name)
        if found is not None:
            return int(found.slots)
        Pool.create_or_update_pool(name, slots, description, False)  # by position: 3.3 took session away from there
    except SQLAlchemyError as error:
        said = " ".join(str(error).split())[:300]
        fault = f"cannot be read or written: {said}. Run the command where 'airflow pools list' works"
        raise ConfigurationError({"[database] sql_alchemy_conn": fault}, subject="Airflow") from error
    return None
