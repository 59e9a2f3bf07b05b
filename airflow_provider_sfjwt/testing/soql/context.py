"""What a query is compiled for: an org, a moment and a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.settings import Settings
from airflow_provider_sfjwt.testing.soql.date_literals import Calendar


@dataclass(frozen=True)
class Context:
    """What a query is compiled for.

    :param calendar: the org's time, and the user's time zone and fiscal year.
    :param currency_rates: units of each currency for one of the first, which is the user's.
    :param user_id: who asks; empty: nobody in particular.
    :param include_deleted: whether records in the recycle bin are found, as by ``queryAll``.
    """

    schema: Schema
    calendar: Calendar
    currency_rates: Mapping[str, float]
    user_id: str = ""
    include_deleted: bool = False

    @classmethod
    def of(cls, schema: Schema, settings: Settings, user_id: str, include_deleted: bool) -> Context:
        """Return the context of a request that is made now."""
        calendar = Calendar(settings.now(), settings.time_zone, settings.fiscal_year_start_month)
        return cls(schema, calendar, settings.currency_rates, user_id, include_deleted)

    @property
    def currency(self) -> str:
        """The ISO code of the user's currency."""
        return next(iter(self.currency_rates))
