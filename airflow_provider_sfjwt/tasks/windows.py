"""Which rows a run covers: those whose cursor field lies in ``[start, end)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.spec import ExtractSpec


def run_interval(context: Mapping[str, Any]) -> Window:
    """The run's data interval.

    :param context: Airflow's.
    :raises ConfigurationError: when the run has none, or one without width, which would be green and without rows.

    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/cron.html
    """
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        raise ConfigurationError(
            {
                "incremental": "'data_interval' needs a run with a data interval, and this run has none. Schedule the "
                "Dag with CronDataIntervalTimetable, and trigger runs by hand with a logical date"
            },
            subject="the task",
        )
    if end <= start:
        raise ConfigurationError(
            {
                "incremental": f"'data_interval' found an interval of no width ({start.isoformat()}), which no row can "
                "lie in. A cron expression as schedule gives such intervals since Airflow 3: use "
                'schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC")'
            },
            subject="the task",
        )
    return start, end


def given_window(spec: ExtractSpec) -> Window | None:
    """The window that the task's author gave.

    :param spec: of the task.
    :return: None for all rows.
    :raises ConfigurationError: when it cannot be read, or has no width, which would be green and without rows.
    """
    window = spec.moments
    if window is not None and window[0] == window[1]:
        raise ConfigurationError(
            {
                "window": f"begins and ends at the same moment ({window[0].isoformat()}), and no row can lie in it. A "
                "cron expression as schedule gives such intervals since Airflow 3: use CronDataIntervalTimetable"
            },
            subject="the task",
        )
    return window
