"""Numbers, sizes, durations and moments as the pages show them."""

from __future__ import annotations

from datetime import datetime, timezone

#: What stands for a value that is not known.
UNKNOWN = "–"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def number(value: float | None) -> str:
    """A whole number with thousands separators.

    :param value: None for one that is not known.
    """
    return UNKNOWN if value is None else f"{int(value):,}"


def size(value: float | None) -> str:
    """Bytes in a unit that keeps the number short; a kB is 1,000 bytes.

    :param value: in bytes.
    """
    if value is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1_000:
            return f"{value:,.0f} B" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1_000
    return f"{value:,.1f} TB"


def duration(seconds: float | None) -> str:
    """A span of time in at most two units.

    :param seconds: None for one that is not known.
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY:,} d {whole % _DAY // _HOUR} h"


def parsed(text: str) -> datetime | None:
    """A moment in UTC, or None for a text that is not a moment.

    :param text: ISO 8601; one without a zone is in UTC.
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def moment(text: str) -> str:
    """A moment as people write it, to the second, in UTC.

    :param text: ISO 8601; any other text stays as it is.
    """
    at = parsed(text)
    return (text or UNKNOWN) if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(start: str, end: str) -> str:
    """From one moment to another, without repeating the day.

    :param start: ISO 8601.
    :param end: the same.
    """
    begins, ends = parsed(start), parsed(end)
    if begins is None or ends is None:
        return f"{start} to {end}"
    return f"{begins:%Y-%m-%d %H:%M:%S} to {ends:%Y-%m-%d %H:%M:%S} UTC"


def counted(value: int, noun: str) -> str:
    """A number with what it counts.

    :param value: how many.
    :param noun: in the singular; its plural ends with ``s``.
    """
    return f"{value:,} {noun}{'' if value == 1 else 's'}"
