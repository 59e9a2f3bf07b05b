"""Whether the arguments of a task are of the right kind, told by their names.

DAG files are not type-checked, and templates render to text: what Python would trip over later is refused here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.path_argument import fault_of_place, is_nothing

#: Says what is wrong with a value, or nothing.
Check = Callable[[Any], str | None]


def faults_of(owner: object, checks: Mapping[str, Check]) -> dict[str, str]:
    """Judge attributes.

    :param owner: what has the attributes.
    :param checks: by the attribute's name.
    :return: what is wrong, by name; empty when all is well.
    """
    told = {name: check(getattr(owner, name)) for name, check in checks.items()}
    return {name: fault for name, fault in told.items() if fault}


def check_waiting(poll_interval: Any, timeout: Any) -> None:
    """See that a job can be waited for.

    :param poll_interval: seconds between two looks at the job at most.
    :param timeout: seconds that it may take.
    :raises ConfigurationError: naming the argument.
    """
    _refuse({"poll_interval": seconds(poll_interval), "timeout": seconds(timeout)})


def check_query(soql: Any, include_deleted: Any) -> None:
    """See that a query can be sent.

    :param soql: the query.
    :param include_deleted: whether deleted rows are returned too.
    :raises ConfigurationError: naming the argument.
    """
    _refuse({"soql": name(soql), "include_deleted": flag(include_deleted)})


def optional(check: Check) -> Check:
    """None is right as well.

    :param check: of any other value.
    """
    return lambda value: None if value is None else check(value)


def whole_number(least: int, most: int | None = None) -> Check:
    """A whole number.

    :param least: the smallest that is right.
    :param most: the largest, or None.
    """

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, not {_told(value)}"
        if value < least or (most is not None and value > most):
            return f"must be at least {least}" if most is None else f"must be between {least:,} and {most:,}"
        return None

    return check


def number(least: float = -math.inf, most: float = math.inf, *, above: float = -math.inf, unit: str = "") -> Check:
    """A number, whole or not.

    :param least: the smallest that is right.
    :param most: the largest.
    :param above: it must be more than this.
    :param unit: for the message.
    """
    behind = f" {unit}" if unit else ""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"must be a number{f' of {unit}' if unit else ''}, not {_told(value)}"
        if value <= above:
            return f"must be more than {above:g}{behind}"
        if not least <= value <= most:
            return (
                f"must be at least {least:g}{behind}" if most == math.inf else f"must be between {least:g} and {most:g}"
            )
        return None

    return check


#: A time to wait.
seconds = number(above=0, unit="seconds")


def flag(value: Any) -> str | None:
    """True or False; any other text would count as true.

    :param value: what was given.
    """
    return None if isinstance(value, bool) else f"must be True or False, not {_told(value)}"


def text(value: Any) -> str | None:
    """Text that is not empty.

    :param value: what was given.
    """
    if not isinstance(value, str):
        return f"must be text, not {_told(value)}"
    return None if value.strip() else "is empty"


def name(value: Any) -> str | None:
    """A name, or other text that templates may have rendered to nothing.

    :param value: what was given.
    """
    if value == "None":
        return "is the text 'None', to which a template renders where it finds nothing"
    return text(value)


def condition(value: Any) -> str | None:
    """A condition; an empty one, to which a template may well render, is none.

    :param value: what was given.
    """
    return None if value == "" else name(value)


def one_of(*choices: str) -> Check:
    """One of a few texts.

    :param choices: the texts.
    """

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {_told(value)}"
        return None if value in choices else f"'{value}' is none of {', '.join(choices)}"

    return check


def names(value: Any) -> str | None:
    """A list of names; one text would be taken for its characters.

    :param value: what was given.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return f"must be a list of names, not {_told(value)}"
    if not value:
        return "is empty; name the fields, or leave it out for all of them"
    wrong = [each for each in value if not isinstance(each, str) or not each.strip()]
    if wrong:
        return f"must hold names, not {_told(wrong[0])}"
    times = Counter(each.lower() for each in value)
    twice = sorted({each for each in value if times[each.lower()] > 1})
    return f"names {', '.join(twice)} more than once" if twice else None


def folder(value: Any) -> str | None:
    """A folder that every worker understands alike: a URL, or an absolute path.

    :param value: what was given.
    """
    if not isinstance(value, str) or is_nothing(value):
        return f"names no folder but {_told(value)}; give one such as s3://conn_id@bucket/x/ds={{{{ ds }}}}"
    return fault_of_place(value)


def window(value: Any) -> str | None:
    """Two moments with time zones, the earlier first.

    :param value: what was given.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        return f"must be two moments, not {_told(value)}"
    for moment in value:
        if not isinstance(moment, datetime):
            return f"must be two moments, not {_told(moment)}"
        if moment.tzinfo is None:
            return "holds a moment without a time zone; give both with one, e.g. tzinfo=timezone.utc"
    start, end = value
    return f"ends at {end}, before it begins at {start}" if end < start else None


def _told(value: Any) -> str:
    if value is None:
        return "None"
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _refuse(told: Mapping[str, str | None]) -> None:
    faults = {argument: fault for argument, fault in told.items() if fault}
    if faults:
        raise ConfigurationError(faults, subject="the task")
