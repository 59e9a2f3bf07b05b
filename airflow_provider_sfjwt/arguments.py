"""The arguments of a task: their kinds, and a spec that holds and checks them.

DAG files are not type-checked, and templates render to text: a wrong value is refused here, by its argument's name,
before it can fail somewhere else.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar, overload
from zoneinfo import ZoneInfo

from airflow_provider_sfjwt.exceptions import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

#: Start and end of the rows' cursor field, the end excluded, both with a time zone.
Window = tuple[datetime, datetime]
#: The same as a task's author may give it, see :func:`window_of`.
GivenWindow = Window | Sequence[str] | str
#: Says what is wrong with a value; None when it is right.
Check = Callable[[Any], str | None]

#: Date, time, fraction of a second and zone of a moment in ISO 8601, as Airflow, Python and Salesforce write it.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))? ?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")

# -- kinds of arguments ------------------------------------------------------------------------------------------------


def optional(check: Check) -> Check:
    """A value that may also be None.

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
            return f"must be a whole number, not {_shown(value)}"
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
    of_unit = f" {unit}" if unit else ""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"must be a number{f' of {unit}' if unit else ''}, not {_shown(value)}"
        if value <= above:
            return f"must be more than {above:g}{of_unit}"
        if not least <= value <= most:
            return (
                f"must be at least {least:g}{of_unit}"
                if most == math.inf
                else f"must be between {least:g} and {most:g}"
            )
        return None

    return check


#: A time to wait.
seconds = number(above=0, unit="seconds")


def flag(value: Any) -> str | None:
    """True or False; any other text would count as true.

    :param value: what was given.
    """
    return None if isinstance(value, bool) else f"must be True or False, not {_shown(value)}"


def text(value: Any) -> str | None:
    """Text that is not empty.

    :param value: what was given.
    """
    if not isinstance(value, str):
        return f"must be text, not {_shown(value)}"
    return None if value.strip() else "is empty"


def name(value: Any) -> str | None:
    """A name, or other text that is neither empty nor ``None`` as a template renders it.

    :param value: what was given.
    """
    if value == "None":
        return "is the text 'None', to which a template renders where it finds nothing"
    return text(value)


def condition(value: Any) -> str | None:
    """A SOQL condition. Empty text (an empty template) means no condition.

    :param value: what was given.
    """
    return None if value == "" else name(value)


def one_of(*choices: str) -> Check:
    """One of a few texts.

    :param choices: the texts.
    """

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {_shown(value)}"
        return None if value in choices else f"'{value}' is not one of {', '.join(choices)}"

    return check


def time_zone(value: Any) -> str | None:
    """The name of a time zone, as the IANA's database has it.

    :param value: what was given.
    """
    if fault := name(value):
        return fault
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
        return f"'{value}' is not the name of a time zone, such as Europe/Berlin or UTC"
    return None


def names(value: Any) -> str | None:
    """A list of names. A single text is refused: as a list it would be its characters.

    :param value: what was given.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return f"must be a list of names, not {_shown(value)}"
    if not value:
        return "is empty; name the fields, or leave it out for all of them"
    wrong = [each for each in value if not isinstance(each, str) or not each.strip()]
    if wrong:
        return f"must hold names, not {_shown(wrong[0])}"
    times = Counter(each.lower() for each in value)
    twice = sorted({each for each in value if times[each.lower()] > 1})
    return f"names {', '.join(twice)} more than once" if twice else None


def folder(value: Any) -> str | None:
    """A folder that is the same place on every worker: a URL or an absolute path.

    :param value: what was given.
    """
    if not isinstance(value, str) or is_nothing(value):
        return f"must name a folder such as s3://conn_id@bucket/x/ds={{{{ ds }}}}, not {_shown(value)}"
    return fault_of_place(value)


def is_nothing(text: str) -> bool:
    """Whether a text is empty or ``None``, as a template renders a missing value.

    :param text: what was given.
    """
    return text.strip() in ("", "None")


def fault_of_place(text: str) -> str | None:
    """What is wrong with a path: it must be a URL or absolute.

    :param text: what was given.
    """
    if text.startswith("/") or _WITH_SCHEME.match(text):
        return None
    return (
        f"'{text}' is neither a URL nor an absolute path; begin it with s3://, file:/// or the like. It would "
        "mean another place on each worker"
    )


def window(value: Any) -> str | None:
    """Two moments with time zones, the earlier first.

    :param value: what was given.
    """
    try:
        window_of(value)
    except ValueError as fault:
        return str(fault)
    return None


def window_of(value: Any) -> Window:
    """Read a window: two moments, each a datetime or text in ISO 8601 as ``2026-11-04T00:00:00Z``.

    :param value: the two, or text that a template rendered of them, as ``['2026-…', '2026-…']``.
    :raises ValueError: with a sentence that says what is wrong.
    """
    both = value
    if isinstance(value, str) and value.strip().startswith(("(", "[")):
        with suppress(ValueError, SyntaxError):
            both = ast.literal_eval(value.strip())
    if not isinstance(both, tuple | list) or len(both) != 2:
        raise ValueError(f"must be two moments, not {_shown(value)}")
    start, end = (_moment(each) for each in both)
    if end < start:
        raise ValueError(f"ends at {end}, before it begins at {start}")
    return start, end


def _moment(value: Any) -> datetime:
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        day, time, fraction, zone = match.groups()
        seconds = time if time.count(":") == 2 else f"{time}:00"
        offset = "" if zone is None else "+00:00" if zone in "Zz" else f"{zone[:3]}:{zone[3:].strip(':') or '00'}"
        with suppress(ValueError):  # 30 February
            value = datetime.fromisoformat(f"{day}T{seconds}.{(fraction or '0')[:6]:0<6}{offset}")
    if not isinstance(value, datetime):
        example = "; write each as 2026-11-04T00:00:00Z" if isinstance(value, str) else ""
        raise ValueError(f"must be two moments, not {_shown(value)}{example}")
    if value.tzinfo is None:
        example = "give both with one, e.g. tzinfo=timezone.utc" if match is None else "end both with one, e.g. with Z"
        raise ValueError(f"holds a moment without a time zone; {example}")
    return value


def api_version_of(text: str | None) -> str | None:
    """Read an API version.

    :param text: e.g. ``66.0``, ``66`` or ``v66.0``; None and blanks mean that none is named.
    :return: as Salesforce writes it, e.g. ``66.0``.
    :raises ValueError: for any other text, with a sentence that says so.
    """
    if text is None or not text.strip():
        return None
    match = re.fullmatch(r"[vV]?(\d{2,3})(\.0)?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError("is not an API version; enter e.g. 66.0, or leave it empty for the newest")
    return f"{match[1]}.0"


def api_version(value: Any) -> str | None:
    """An API version as text or as a number.

    :param value: what was given.
    """
    try:
        api_version_of(str(value))
    except ValueError:
        return f"'{value}' is not an API version; give e.g. 66.0, or None for the connection's"
    return None


def _shown(value: Any) -> str:
    if value is None:
        return "None"
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"


# -- specs -------------------------------------------------------------------------------------------------------------


@overload
def argument(check: Check, *, harmless: bool = ...) -> Any: ...
@overload
def argument(check: Check, *, default: T, harmless: bool = ..., added: str = ...) -> T: ...
def argument(check: Check, *, default: Any = MISSING, harmless: bool = False, added: str = "") -> Any:
    """A field of a :class:`Spec` that the author of a task gives.

    :param check: of its value.
    :param default: without one the argument is required.
    :param harmless: whether a retry may resume a remote job although this argument changed: the fingerprint leaves it
        out.
    :param added: the release that added it; empty for 0.1.0. The fingerprint leaves it out at its default, so that a
        retry resumes a job that an older release remembers.
    """
    return field(default=default, metadata={"check": check, "harmless": harmless, "added": added})


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a task is asked to do: its arguments with their defaults and checks, in one place.

    A subclass is a frozen dataclass with keyword-only fields. Each argument is a field made by :func:`argument`. Other
    fields are not arguments: the code that makes the spec sets them.
    """

    @classmethod
    def of(cls, task: object, **others: Any) -> Self:
        """Read the arguments from an operator, by the names of the fields.

        :param task: the operator; it has each argument as an attribute of the same name.
        :param others: fields that the operator does not have, or has under another name.
        """
        names = [each.name for each in fields(cls) if "check" in each.metadata and each.name not in others]
        return cls(**{name: getattr(task, name) for name in names}, **others)

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments; empty when the spec can be carried out.

        A subclass adds what is wrong with arguments taken together.
        """
        checked = {each.name: each.metadata["check"] for each in fields(self) if "check" in each.metadata}
        found = {name: check(getattr(self, name)) for name, check in checked.items()}
        return {name: fault for name, fault in found.items() if fault}

    def check(self) -> None:
        """Refuse a spec that cannot be carried out, before anything is done.

        :raises ConfigurationError: with everything that is wrong, by the names of the arguments.
        """
        if faults := self.faults():
            raise ConfigurationError(faults, subject="the task")

    def fingerprint(self) -> str:
        """A SHA-256 in hex of every argument that is not marked as harmless.

        A remote job belongs to a task only while this stays the same. It is made as 0.1.0 made it, so that a job
        survives an upgrade.
        """
        asked = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if "check" in each.metadata
            and not each.metadata["harmless"]
            and not (each.metadata["added"] and getattr(self, each.name) == each.default)
        }
        return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class OrgSpec(Spec):
    """What every operator that calls Salesforce takes.

    :param salesforce_conn_id: the connection.
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    """

    salesforce_conn_id: str = argument(name, default="salesforce_jwt_default")
    api_version: str | None = argument(optional(api_version), default=None, harmless=True)


@dataclass(frozen=True, kw_only=True)
class JobSpec(OrgSpec):
    """What every operator that waits for Salesforce takes as well.

    :param deferrable: whether the triggerer waits. Operators default to ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at a job at most.
    :param timeout: seconds that the jobs may take.
    """

    deferrable: bool = argument(flag, default=False, harmless=True)
    poll_interval: float = argument(seconds, default=30, harmless=True)
    timeout: float = argument(seconds, default=43_200, harmless=True)
