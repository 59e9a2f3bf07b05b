"""What ``MessageQueueTrigger(scheme="salesforce", …)`` of ``apache-airflow-providers-common-messaging`` makes.

The package is not needed for it: it asks for these methods, and not for a base class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger


class SalesforceQueueProvider:
    """Leads the scheme ``salesforce`` to the polling watcher."""

    scheme = "salesforce"

    def scheme_matches(self, scheme: str) -> bool:
        """Whether a scheme is this one.

        :param scheme: of a trigger.
        """
        return scheme == self.scheme

    def queue_matches(self, queue: str) -> bool:
        """Whether a queue's URI is one of Salesforce: there are none.

        :param queue: the URI.
        """
        return False

    def trigger_class(self) -> type[BaseEventTrigger]:
        """The watcher. It takes ``asset_name``, ``sobject`` and the arguments of ``salesforce_asset``."""
        from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger

        return SalesforceChangesTrigger

    def trigger_kwargs(self, queue: str, **kwargs: Any) -> dict[str, Any]:
        """What a queue's URI says of the watcher: nothing.

        :param queue: the URI.
        :param kwargs: of the trigger.
        """
        return {}
