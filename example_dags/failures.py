"""What happens when Salesforce says no: retries by the kind of the error, and a notice that says what to do.

Needs a connection ``salesforce_jwt_default`` of the type Salesforce JWT, and Airflow 3.3 for the retry policy.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, BaseNotifier, ExceptionRetryPolicy, ObjectStoragePath, RetryAction, RetryRule

from airflow_provider_sfjwt.exceptions import RequestLimitError, SalesforceError, TransportError
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator

OUTPUT = os.environ.get("SFJWT_EXAMPLE_OUTPUT", "file:///tmp/salesforce")

# [START policy]
BY_KIND = ExceptionRetryPolicy(
    [
        RetryRule(RequestLimitError, retry_delay=timedelta(hours=1)),  # the allocation is of 24 hours
        RetryRule(TransportError, retry_delay=timedelta(seconds=30)),  # the network is back soon
        RetryRule(SalesforceError, action=RetryAction.FAIL),  # somebody has to change something
    ]
)
# [END policy]


# [START notifier]
class Remedy(BaseNotifier):
    """Says which task failed and what to do. Send it wherever your team looks: Slack, mail, an incident."""

    def notify(self, context: Any) -> None:
        error = context["exception"]
        cause = error if isinstance(error, SalesforceError) else error.__context__
        task = context["ti"]
        remedy = getattr(cause, "remedy", "") or "See the log."
        notice = ObjectStoragePath(f"{OUTPUT}/notices/{task.dag_id}.{task.task_id}.txt")
        notice.parent.mkdir(parents=True, exist_ok=True)
        notice.write_text(f"{type(cause).__name__} in {task.task_id}: {cause}\n{remedy}\n")


# [END notifier]

START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("salesforce_failures", schedule=None, start_date=START, tags=["example", "salesforce"]):
    # [START task]
    SalesforceQueryOperator(
        task_id="open_deals",
        soql="SELECT COUNT() FROM Opportunity WHERE IsClosed = false",
        retries=5,
        retry_policy=BY_KIND,
        on_failure_callback=[Remedy()],
    )
    # [END task]
