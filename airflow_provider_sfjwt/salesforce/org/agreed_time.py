"""The time by which rows are chosen: the org's, where this machine's clock does not contradict it."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.salesforce.api.answers import OTHER_ANSWERS
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow


def agreed_time(session: Session) -> Flow[datetime]:
    """The org's time.

    :param session: the conversation.
    :return: with a time zone, to the second.
    :raises ProtocolError: retryable, when no answer shows the time, or when the org and this machine are more than ten
        minutes apart: rows would then be lost, or waited for without end.
    """
    clock = session.org_clock
    if clock.now() is None or clock.apart is not None:
        # Another answer may come from elsewhere. This one costs no API call.
        yield from session.json("GET", "/services/data/", headers={"Cache-Control": "no-cache"})
    now = clock.now()
    if now is None:
        raise ProtocolError(
            "Salesforce's answers carry no Date that can be read, so it is unknown which rows are new. Nothing was "
            "extracted",
            remedy=OTHER_ANSWERS,
            retryable=True,
        )
    if clock.apart is not None:
        raise ProtocolError(
            f"it is unknown which rows are new: {clock.apart}. Nothing was extracted, and no watermark was moved",
            remedy="Set this machine's clock by NTP. If it is right, something between here and Salesforce changes "
            "Date: check Proxy.",
            retryable=True,
        )
    return now
