"""Which rows a run covers: those whose cursor field lies in ``[start, end)``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder


def run_interval(context: Mapping[str, Any]) -> Window:
    """The run's data interval.

    :param context: Airflow's.
    :raises ConfigurationError: when the run has none, or one without width, which would be green and without rows.

    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/cron.html
    """
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if "dag_run" not in context and (start is None or end is None):
        raise ConfigurationError(
            {"incremental": "'data_interval' needs a task run, which has an interval: use dag.test()"},
            subject="the task",
        )
    if start is None or end is None:
        raise ConfigurationError(
            {
                "incremental": "this run has no data interval: trigger it with a logical date, or schedule the Dag "
                "with CronDataIntervalTimetable"
            },
            subject="the task",
        )
    if end <= start:
        raise ConfigurationError(
            {
                "incremental": 'use schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"): the interval of '
                f"this run has no width ({start.isoformat()}), so no row can lie in it. A cron expression as schedule "
                "gives such intervals since Airflow 3"
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


def with_replaced_rows(window: Window, output_path: str) -> Window:
    """Widen a window by that of the data set which it replaces: a cleared run must fetch those rows again as well.

    :param window: of the run.
    :param output_path: of the run.
    """
    replaced = DataSetFolder(output_path).previous_receipt
    if replaced is None or replaced.window is None:
        return window
    return min(window[0], datetime.fromisoformat(replaced.window[0])), window[1]
