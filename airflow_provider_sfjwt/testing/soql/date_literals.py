"""Date literals: ``TODAY``, ``LAST_MONTH``, ``N_DAYS_AGO:3``, and the spans of time that they mean.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_dateformats.htm

Hours are not in that list; they are read here as days are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airflow_provider_sfjwt.testing.data.values import moment_text

_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "FISCAL_QUARTER": 3, "FISCAL_YEAR": 12}
_UNIT = r"(?P<unit>HOUR|DAY|WEEK|MONTH|(?:FISCAL_)?QUARTER|(?:FISCAL_)?YEAR)"
_FIXED = re.compile(r"(?P<which>THIS|LAST|NEXT)_(?P<unit>WEEK|MONTH|(?:FISCAL_)?QUARTER|(?:FISCAL_)?YEAR)")
_NINETY = re.compile(r"(?P<which>LAST|NEXT)_90_DAYS")
_COUNTED = re.compile(rf"(?P<which>LAST|NEXT)_N_{_UNIT}S")
_AGO = re.compile(rf"N_{_UNIT}S_AGO")
_LIKELY = re.compile(r"(?:LAST|THIS|NEXT)_\w+|N_\w+_AGO")


def is_date_literal(word: str) -> bool:
    """Whether a word, in upper case, is a date literal without a number."""
    return word in _DAYS or any(pattern.fullmatch(word) for pattern in (_FIXED, _NINETY))


def takes_number(word: str) -> bool:
    """Whether a word, in upper case, is a date literal that ends with ``:n``."""
    return any(pattern.fullmatch(word) for pattern in (_COUNTED, _AGO))


def looks_like_date_literal(word: str) -> bool:
    """Whether a word, in upper case, may be a date literal that is not known here."""
    return _LIKELY.fullmatch(word) is not None


@dataclass(frozen=True)
class Calendar:
    """What date literals count from.

    :param now: UTC.
    :param zone: the user's time zone, IANA name.
    :param first_month: calendar month in which the fiscal year begins.
    """

    now: datetime
    zone: str = "UTC"
    first_month: int = 1

    def span(self, literal: str) -> tuple[datetime, datetime]:
        """Return the span that a date literal means, the end left out; both in the user's time zone.

        :raises OverflowError: for one beyond the years 1 to 9999.
        :raises ValueError: the same.
        """
        word, _, number = literal.partition(":")
        unit, first, after = _units(word, int(number or 0))
        return self._start(unit, first), self._start(unit, after)

    def _start(self, unit: str, offset: int) -> datetime:
        """Return when the unit begins that is so many units after the present one."""
        zone = ZoneInfo(self.zone)
        here = self.now.astimezone(zone)
        if unit == "HOUR":
            hour = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=offset)
            return hour.astimezone(zone)
        return datetime.combine(self._first_day(unit, here.date(), offset), time(), zone)

    def _first_day(self, unit: str, day: date, offset: int) -> date:
        if unit == "DAY":
            return day + timedelta(days=offset)
        if unit == "WEEK":
            # A week of the locale en_US begins on Sunday.
            return day + timedelta(days=7 * offset - day.isoweekday() % 7)
        size = _MONTHS[unit]
        shift = self.first_month - 1 if unit.startswith("FISCAL") else 0
        months = ((day.year * 12 + day.month - 1 - shift) // size + offset) * size + shift
        return date(months // 12, months % 12 + 1, 1)


def _units(word: str, number: int) -> tuple[str, int, int]:
    """Return the unit of a literal and the offsets of its first unit and of the one after its last."""
    if word in _DAYS:
        return "DAY", _DAYS[word], _DAYS[word] + 1
    fixed = _FIXED.fullmatch(word)
    if fixed is not None:
        first = {"LAST": -1, "THIS": 0, "NEXT": 1}[fixed["which"]]
        return fixed["unit"], first, first + 1
    ago = _AGO.fullmatch(word)
    if ago is not None:
        return ago["unit"], -number, 1 - number
    counted = _COUNTED.fullmatch(word)
    unit = counted["unit"] if counted is not None else "DAY"
    number = number if counted is not None else 90
    if word.startswith("NEXT"):
        return unit, 1, number + 1
    # The last n days include the present one; the last n weeks, months… do not.
    return unit, -number, 1 if unit in ("DAY", "HOUR") else 0


def stored_bound(moment: datetime, field_type: str) -> str:
    """Return an end of a span as a date or datetime field stores it."""
    if field_type == "date":
        return moment.date().isoformat()
    return moment_text(moment.replace(microsecond=0))
