"""Days, moments and times of day, from Python values and from text, as the text that Salesforce reads.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from airflow_provider_sfjwt.files.values.cells import UnfitValueError, shown

#: The days that Salesforce keeps. https://help.salesforce.com/s/articleView?id=000383587&type=1
FIRST_DAY, LAST_DAY = date(1700, 1, 1), date(4000, 12, 31)
_DAY = r"(?P<day>\d{4}-\d{1,2}-\d{1,2})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
_ZONE = r"(?:\s*(?P<zone>[zZ]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
_DAY_TEXT = re.compile(rf"{_DAY}{_ZONE}", re.ASCII)
_MOMENT_TEXT = re.compile(rf"{_DAY}(?:[tT]| +){_CLOCK}{_ZONE}", re.ASCII)
_TIME_TEXT = re.compile(rf"{_CLOCK}{_ZONE}", re.ASCII)
_MIDNIGHT = time()
_WHOLE_DAY = timedelta(days=1)


def day_cell(value: Any, zone: tzinfo | None = None) -> str:
    """A value of a date field: ``2026-01-31``.

    :param value: a date; a datetime at midnight in its own zone; or text of one of them.
    :param zone: not used: a calendar day is the same in every zone.
    :raises UnfitValueError: for anything else, and for days that Salesforce does not keep.
    """
    if isinstance(value, str):
        value = _day_of(value)
    if isinstance(value, datetime):
        if value.time() != _MIDNIGHT:
            raise UnfitValueError(
                f"{shown(_iso(value))} has a time of day, which a date has not; give the day that is meant"
            )
        value = value.date()
    if not isinstance(value, date):
        raise UnfitValueError(f"{shown(value)} is not a date like 2026-01-31")
    return _kept(value).isoformat()


def moment_cell(value: Any, zone: tzinfo | None = None) -> str:
    """A value of a datetime field: ``2026-01-31T12:00:00.123Z``. What is finer than a millisecond is cut off.

    :param value: a datetime, or its text.
    :param zone: of a value that has none; None refuses it.
    :raises UnfitValueError: for anything else, and for moments that Salesforce does not keep.
    """
    if isinstance(value, str):
        value = _moment_of(value)
    if not isinstance(value, datetime):
        if isinstance(value, date):
            raise UnfitValueError(f"{shown(value)} is a day without a time, and the field takes a date and time")
        raise UnfitValueError(f"{shown(value)} is not a date and time like 2026-01-31T12:00:00.000Z")
    utc: datetime = _in_utc(value, zone)
    _kept(utc.date())
    return f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def time_cell(value: Any, zone: tzinfo | None = None) -> str:
    """A value of a time field: ``12:00:00.000Z``. A time without a zone is taken as it is.

    :param value: a time, a time span from midnight as MySQL's drivers give it, or the text of a time.
    :param zone: not used: a time of day in a zone depends on the day.
    :raises UnfitValueError: for anything else.
    """
    if isinstance(value, str):
        value = _time_of(value)
    if isinstance(value, timedelta) and timedelta() <= value < _WHOLE_DAY:
        value = (datetime.combine(FIRST_DAY, _MIDNIGHT) + value).time()
    if not isinstance(value, time):
        raise UnfitValueError(f"{shown(value)} is not a time like 12:00:00.000Z")
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise UnfitValueError(f"{shown(value)} is in {value.tzinfo}, whose offset from UTC depends on the day")
    if offset:
        shifted = datetime.combine(date(2000, 1, 2), value.replace(tzinfo=None)) - offset % _WHOLE_DAY
        value = shifted.time()
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _kept(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise UnfitValueError(f"{day.isoformat()} is outside {FIRST_DAY} to {LAST_DAY}, the days that Salesforce keeps")
    return day


def _in_utc(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.utcoffset() is None:
        if zone is None:
            raise UnfitValueError(
                f"{shown(_iso(moment))} is a datetime without a time zone, so its moment is unknown. Give the load "
                "a timezone, or the value an offset"
            )
        moment = _placed(moment.replace(tzinfo=None), zone)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise UnfitValueError(f"{_iso(moment)} is outside the years 1 to 9999 in UTC") from None


def _placed(moment: datetime, zone: tzinfo) -> datetime:
    """A moment in a zone, where the clock shows it exactly once."""
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        # Clocks were set back, so it is there twice; or forward, so it never was.
        back = first.astimezone(timezone.utc).astimezone(zone).replace(tzinfo=None) == moment
        why = "is shown twice" if back else "does not exist"
        raise UnfitValueError(f"{shown(_iso(moment))} {why} in {zone}, where the clocks change; give it an offset")
    return first


def _iso(moment: datetime) -> str:
    return moment.isoformat(sep="T")


def _day_of(text: str) -> date | datetime | str:
    if match := _DAY_TEXT.fullmatch(text):
        return _date(match["day"]) or text
    moment = _moment_of(text)
    return moment if isinstance(moment, datetime) else text


def _moment_of(text: str) -> datetime | date | str:
    if match := _MOMENT_TEXT.fullmatch(text):
        day, clock = _date(match["day"]), _clock(match)
        if day is not None and clock is not None:
            return datetime.combine(day, clock)
    elif match := _DAY_TEXT.fullmatch(text):
        return _date(match["day"]) or text
    return text


def _time_of(text: str) -> time | str:
    match = _TIME_TEXT.fullmatch(text)
    clock = _clock(match) if match is not None else None
    return text if clock is None else clock


def _date(text: str) -> date | None:
    try:
        return date(*map(int, text.split("-")))
    except ValueError:
        return None


def _clock(match: re.Match[str]) -> time | None:
    fraction = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    try:
        return time(
            int(match["hour"]), int(match["minute"]), int(match["second"] or 0), fraction, _offset(match["zone"])
        )
    except ValueError:
        return None


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
