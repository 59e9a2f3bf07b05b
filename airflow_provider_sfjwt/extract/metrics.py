"""What a published extract comes to, in numbers."""

from __future__ import annotations

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


def count_published(org: ConnectedOrg, receipt: Receipt, window: Window | None) -> None:
    """Count records and bytes, and say how far behind the org's clock the window ends.

    :param org: with the meter.
    :param receipt: that was published just now.
    :param window: of the rows; None for all rows.
    """
    meter, sobject = org.session.meter, receipt.sobject or "unknown"
    meter.count("records_extracted", receipt.records, sobject=sobject)
    meter.count("bytes_extracted", sum(part.bytes for part in receipt.parts), sobject=sobject)
    now = org.session.server_now()
    if window is not None and now is not None:
        meter.gauge("lag", round((now - window[1]).total_seconds(), 3), sobject=sobject)
