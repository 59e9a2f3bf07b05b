"""Parts of dates, as SOQL's date functions return them.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_date_functions.htm
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

_MONTHS, _QUARTER = 12, 3


def in_zone(stored: str, zone: str) -> datetime:
    """Return a stored datetime as a user in a time zone sees it.

    :param zone: IANA name, such as ``America/Los_Angeles``.
    """
    return datetime.fromisoformat(stored.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))


def fiscal_month(day: date, first_month: int) -> int:
    """Return the number of a day's month in the fiscal year, from 1.

    :param first_month: calendar month in which the fiscal year begins.
    """
    return (day.month - first_month) % _MONTHS + 1


def fiscal_year(day: date, first_month: int) -> int:
    """Return the fiscal year of a day, named after the calendar year in which it ends."""
    return day.year + (first_month > 1 and day.month >= first_month)


DATE_PARTS: dict[str, Callable[[date, int], int | str]] = {
    "CALENDAR_MONTH": lambda day, first: day.month,
    "CALENDAR_QUARTER": lambda day, first: (day.month - 1) // _QUARTER + 1,
    "CALENDAR_YEAR": lambda day, first: day.year,
    "DAY_IN_MONTH": lambda day, first: day.day,
    "DAY_IN_WEEK": lambda day, first: day.isoweekday() % 7 + 1,
    "DAY_IN_YEAR": lambda day, first: day.timetuple().tm_yday,
    "DAY_ONLY": lambda day, first: day.isoformat()[:10],
    "FISCAL_MONTH": lambda day, first: fiscal_month(day, first),
    "FISCAL_QUARTER": lambda day, first: (fiscal_month(day, first) - 1) // _QUARTER + 1,
    "FISCAL_YEAR": lambda day, first: fiscal_year(day, first),
    # Week 1 is the first seven days of the month, or of the year; the day of the week does not matter.
    "WEEK_IN_MONTH": lambda day, first: (day.day - 1) // 7 + 1,
    "WEEK_IN_YEAR": lambda day, first: (day.timetuple().tm_yday - 1) // 7 + 1,
}


def date_part(name: str, stored: str | None, zone: str, first_month: int) -> int | str | None:
    """Return a part of a stored date or datetime, or None of null.

    :param name: of the SOQL function, upper case.
    :param zone: in which a datetime is read: ``UTC``, unless the query says ``convertTimezone()``.
    :param first_month: calendar month in which the fiscal year begins.
    """
    if stored is None:
        return None
    moment = in_zone(stored, zone) if "T" in stored else None
    if name == "HOUR_IN_DAY":
        return moment.hour if moment is not None else None
    day = moment.date() if moment is not None else date.fromisoformat(stored)
    return DATE_PARTS[name](day, first_month)
