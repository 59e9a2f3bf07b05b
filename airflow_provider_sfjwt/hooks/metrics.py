"""The metrics of this package, in Airflow's: to StatsD, OpenTelemetry or Datadog, as its configuration says.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

from airflow_provider_sfjwt.compat import conf
from airflow_provider_sfjwt.compat.metrics import airflow_stats
from airflow_provider_sfjwt.salesforce.wire.flow import Response

#: Before the name of every metric.
PREFIX = "salesforce_jwt"


class AirflowMeter:
    """Gives numbers to Airflow's metrics; to nobody where these are off.

    :param conn_id: the connection, which is a tag of every number.
    """

    def __init__(self, conn_id: str) -> None:
        self._tags = {"conn_id": conn_id}
        self._stats = airflow_stats(conf)

    def count(self, name: str, amount: int = 1, **tags: str) -> None:
        """Add to a counter.

        :param name: of the counter.
        :param amount: how many more there are.
        :param tags: besides the connection.
        """
        if self._stats is not None:
            self._stats.incr(f"{PREFIX}.{name}", count=amount, tags={**self._tags, **tags})

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Set a value that goes up and down.

        :param name: of the value.
        :param value: what it is now.
        :param tags: besides the connection.
        """
        if self._stats is not None:
            self._stats.gauge(f"{PREFIX}.{name}", value, tags={**self._tags, **tags})

    def repeated(self, response: Response | None) -> None:
        """A request is sent again.

        :param response: the answer to it; None where there was no whole answer.
        """
        self.count("retries", reason="no_answer" if response is None else str(response.status))
