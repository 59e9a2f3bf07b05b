"""The report of a run: what a task was asked, what came of it and what it cost, small enough for XCom.

It is data alone, so that the pages in Airflow's UI read it without an engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

T = TypeVar("T")

#: The XCom of a task that has its report.
KEY = "salesforce_report"
VERSION = 1
#: Bytes of a report as JSON at most.
MOST_BYTES = 8_000
#: Characters of a text, and entries of a list, that the largest report has.
_MOST_TEXT = 1_500
_MOST_PARTS, _MOST_ERRORS, _MOST_NAMES, _MOST_JOBS = 50, 20, 60, 10
#: What is left where everything else has been cut: a few short texts.
_SHORTEST = 6


class UnreadableReportError(ValueError):
    """An XCom that is not a report which this release can read."""


@dataclass(frozen=True)
class Part:
    """A file of an extract, or a job's share of a load.

    :param name: of the file, or ``part 3``.
    :param rows: in it.
    :param bytes: its size.
    :param began: seconds from the first part's begin to its own; None where that is unknown.
    :param seconds: that it took; None where that is unknown.
    """

    name: str = ""
    rows: int = 0
    bytes: int = 0
    began: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class RowErrors:
    """How many rows have an error. What Salesforce said of a row is left out, since it quotes values.

    :param code: Salesforce's, or one of this package.
    :param count: of rows.
    :param fields: names of the fields that the first such row was refused for.
    """

    code: str = ""
    count: int = 0
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a task failed.

    :param code: Salesforce's or OAuth's, or the name of the error.
    :param cause: what happened, without values.
    :param remedy: what to change.
    :param setup_page: of Salesforce Setup; empty where there is none.
    :param will_retry: whether Airflow starts another attempt by itself.
    """

    code: str = ""
    cause: str = ""
    remedy: str = ""
    setup_page: str = ""
    will_retry: bool = False


@dataclass(frozen=True)
class SetupJob:
    """A job of Bulk API 2.0.

    :param id: the job's id.
    :param url: of its page in Salesforce Setup.
    """

    id: str = ""
    url: str = ""


@dataclass(frozen=True)
class TaskReport:
    """What a run did. Every field has a default: a report of a failed task knows less.

    :param kind: ``extract``, ``load``, ``query``, ``merge`` or ``freeze`` (the rows of a SQL query into files).
    :param ended_at: ISO 8601 with a zone.
    :param seconds: that the work took, a wait in the triggerer included.
    :param attempt: from 1.
    :param conn_id: the Salesforce connection.
    :param host: of the org; empty where the task did not reach it.
    :param sobject: the object; None where the query does not show it.
    :param operation: of a load, or the mode of a merge.
    :param soql: the query that ran.
    :param transport: ``bulk`` or ``rest``; ``sql`` for rows of a SQL query.
    :param window: start and end of the rows, in ISO 8601; None for all rows.
    :param incremental: as the task has it.
    :param rows: extracted, returned, read by a merge, or loaded with success.
    :param counts: rows by what became of them: ``read``, ``succeeded``, ``failed``, ``unprocessed``, ``skipped``,
        ``inserted``, ``updated``, ``unchanged``, ``deleted``.
    :param errors: of rows, by code, the most frequent first.
    :param bytes: of all parts.
    :param parts: the first of them.
    :param api_calls: requests that counted against the org's allocation; None where there was no org.
    :param api_calls_left: of the org's allocation for 24 hours, as Salesforce last said.
    :param api_calls_allowed: the allocation.
    :param columns: names, in order.
    :param drift: columns ``added``, ``removed`` and ``retyped`` since the receipt before; None without one.
    :param paths: ``output_path``, ``receipt``, ``results_path``, ``table`` and the like.
    :param jobs: the first of them.
    :param failure: why the task failed; None for a success.
    :param cut: how many entries of a list were left out, by the name of the list; for ``soql``, characters.
    :param rest: what the parts that were left out hold together; None where all are there.
    :param version: of this form.
    """

    kind: str = ""
    ended_at: str = ""
    seconds: float | None = None
    attempt: int | None = None
    conn_id: str = ""
    host: str = ""
    sobject: str | None = None
    operation: str = ""
    soql: str = ""
    transport: str = ""
    window: tuple[str, ...] | None = None
    incremental: str = ""
    rows: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[RowErrors, ...] = ()
    bytes: int | None = None
    parts: tuple[Part, ...] = ()
    api_calls: int | None = None
    api_calls_left: int | None = None
    api_calls_allowed: int | None = None
    columns: tuple[str, ...] = ()
    drift: Mapping[str, tuple[str, ...]] | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    jobs: tuple[SetupJob, ...] = ()
    failure: Failure | None = None
    cut: Mapping[str, int] = field(default_factory=dict)
    rest: Part | None = None
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """The report for XCom, at most 8,000 bytes as JSON: lists and texts are cut until it fits."""
        shrunk = 1
        while True:
            text = json.dumps(asdict(self._cut(shrunk)))
            if len(text) <= MOST_BYTES:
                # Decoded again, since Airflow wraps tuples in XCom.
                content: dict[str, Any] = json.loads(text)
                return content
            shrunk *= 2

    @classmethod
    def from_json(cls, content: Any) -> TaskReport:
        """Read a report, which any author of a DAG may have written: what is not of its kind is left out.

        :param content: decoded.
        :raises UnreadableReportError: when it is not a report, or one of a newer release.
        """
        if not isinstance(content, dict) or not isinstance(content.get("version"), int):
            raise UnreadableReportError(
                f"This XCom is not a report of a Salesforce task: it has no version. Key: {KEY}"
            )
        if content["version"] != VERSION:
            raise UnreadableReportError(
                f"The report is of version {content['version']}, and this Airflow's airflow-provider-sfjwt reads "
                f"version {VERSION}. Install the release that the workers have."
            )
        read = {name: reader(content[name]) for name, reader in _READERS.items() if name in content}
        return cls(**{name: value for name, value in read.items() if value is not None})

    def _cut(self, shrunk: int) -> TaskReport:
        """The report with its lists and texts cut.

        :param shrunk: the divisor of their greatest lengths.
        """
        longest = max(_SHORTEST, _MOST_TEXT // shrunk)
        cut: dict[str, int] = dict(self.cut)

        def kept(name: str, entries: tuple[T, ...], most: int) -> tuple[T, ...]:
            most //= shrunk
            if len(entries) > most:
                cut[name] = cut.get(name, 0) + len(entries) - most
            return entries[:most]

        if len(self.soql) > longest:
            cut["soql"] = len(self.soql) - longest
        parts = kept("parts", self.parts, _MOST_PARTS)
        columns = kept("columns", self.columns, _MOST_NAMES)
        drift = {name: kept(name, names, _MOST_NAMES // 3) for name, names in (self.drift or {}).items()}
        shown: TaskReport = _shortened(
            replace(
                self,
                parts=parts,
                errors=kept("errors", self.errors, _MOST_ERRORS),
                columns=columns,
                drift=None if self.drift is None else drift,
                paths=dict(kept("paths", tuple(self.paths.items()), _MOST_JOBS)),
                counts=dict(kept("counts", tuple(self.counts.items()), _MOST_JOBS)),
                jobs=kept("jobs", self.jobs, _MOST_JOBS),
                rest=_summed(self.parts[len(parts) :]) if len(parts) < len(self.parts) else self.rest,
            ),
            longest,
        )
        return replace(shown, cut=cut)


def _summed(parts: tuple[Part, ...]) -> Part:
    seconds = [part.seconds for part in parts if part.seconds is not None]
    return Part(
        f"{len(parts)} more",
        sum(part.rows for part in parts),
        sum(part.bytes for part in parts),
        seconds=round(sum(seconds), 3) if seconds else None,
    )


def _shortened(value: Any, longest: int) -> Any:
    """A value whose texts are no longer than that, at any depth."""
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {_shortened(name, longest): _shortened(each, longest) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_shortened(each, longest) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{each.name: _shortened(getattr(value, each.name), longest) for each in fields(value)})
    return value


# -- reading what others may have written ------------------------------------------------------------------------------

#: Entries of a list that are read at most.
_MOST_READ = 200


def _text(value: Any) -> str | None:
    return _shortened(value, _MOST_TEXT) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if usable and math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(each for each in map(_text, value[:_MOST_READ]) if each) if isinstance(value, list | tuple) else None


def _mapping(reader: Callable[[Any], T | None]) -> Callable[[Any], dict[str, T] | None]:
    def read(value: Any) -> dict[str, T] | None:
        if not isinstance(value, Mapping):
            return None
        entries = [(_text(name), reader(each)) for name, each in list(value.items())[:_MOST_READ]]
        return {name: each for name, each in entries if name is not None and each is not None}

    return read


def _record(kind: type[T], **readers: Callable[[Any], Any]) -> Callable[[Any], T | None]:
    def read(value: Any) -> T | None:
        if not isinstance(value, Mapping):
            return None
        found = {name: reader(value.get(name)) for name, reader in readers.items()}
        return kind(**{name: each for name, each in found.items() if each is not None})

    return read


def _records(reader: Callable[[Any], T | None]) -> Callable[[Any], tuple[T, ...] | None]:
    def read(value: Any) -> tuple[T, ...] | None:
        if not isinstance(value, list | tuple):
            return None
        return tuple(each for each in map(reader, value[:_MOST_READ]) if each is not None)

    return read


def _window(value: Any) -> tuple[str, ...] | None:
    ends = _texts(value)
    return ends if ends and len(ends) == 2 else None


_PART = _record(Part, name=_text, rows=_whole, bytes=_whole, began=_number, seconds=_number)
_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("kind", "ended_at", "conn_id", "host", "sobject", "operation", "soql", "transport"), _text),
    **dict.fromkeys(("attempt", "rows", "bytes", "api_calls", "api_calls_left", "api_calls_allowed"), _whole),
    "incremental": _text,
    "seconds": _number,
    "window": _window,
    "counts": _mapping(_whole),
    "errors": _records(_record(RowErrors, code=_text, count=_whole, fields=_texts)),
    "parts": _records(_PART),
    "columns": _texts,
    "drift": _mapping(_texts),
    "paths": _mapping(_text),
    "jobs": _records(_record(SetupJob, id=_text, url=_text)),
    "failure": _record(Failure, code=_text, cause=_text, remedy=_text, setup_page=_text, will_retry=_flag),
    "cut": _mapping(_whole),
    "rest": _PART,
}
