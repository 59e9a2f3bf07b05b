"""What became of the objects of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from airflow_provider_sfjwt.exceptions import ObjectsFailedError, counted
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.sync.root import VERSION

#: ``published``: there is a new receipt; ``done``: an earlier attempt of the run or a later run got as far; ``large``:
#: left to a task of its own; ``refused``: Salesforce refuses the object, which only a pattern asked for; ``failed``.
Status = Literal["published", "done", "large", "refused", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one object, or of a name that is not one.

    :param sobject: the object.
    :param status: see :data:`Status`.
    :param records: rows of the receipt.
    :param deleted: records that the receipt lists as deleted, apart from its rows.
    :param receipt: its path.
    :param window: its start and end in ISO 8601; None for all rows.
    :param sequence: its place in the chain.
    :param transport: ``rest`` or ``bulk``.
    :param api_calls: that the object took in this attempt.
    :param seconds: that it took.
    :param error: what went wrong, or why it was refused.
    :param retryable: whether another attempt may succeed.
    :param drift: fields that were ``added``, ``removed`` or ``retyped`` since the last run; None for no change.
    :param arguments: of the extract that a large window is left to.
    """

    sobject: str
    status: Status
    records: int = 0
    deleted: int = 0
    receipt: str | None = None
    window: tuple[str, str] | None = None
    sequence: int | None = None
    transport: str | None = None
    api_calls: int = 0
    seconds: float = 0.0
    error: str | None = None
    retryable: bool = False
    drift: Mapping[str, list[str]] | None = None
    arguments: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, receipt: Receipt, status: Status, *, api_calls: int = 0, seconds: float = 0.0) -> Outcome:
        """What became of an object that has a receipt.

        :param receipt: of the object's chain.
        :param status: ``published``, or ``done`` before.
        :param api_calls: that the object took in this attempt.
        :param seconds: that it took.
        """
        return cls(
            receipt.sobject or "",
            status,
            records=receipt.records,
            deleted=int((receipt.deletes or {}).get("records") or 0),
            receipt=receipt.summary()["receipt"],
            window=receipt.window,
            sequence=receipt.sequence,
            transport=receipt.transport,
            api_calls=api_calls,
            seconds=seconds,
            drift=receipt.drift if receipt.drift and any(receipt.drift.values()) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The outcome as the summary lists it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Outcome:
        """Read what :meth:`to_json` wrote.

        :param content: decoded.
        """
        window = content.get("window")
        return cls(**{**content, "window": (window[0], window[1]) if window else None})


@dataclass(frozen=True)
class SyncReport:
    """What a run of a sync did.

    :param run: eight characters of the run.
    :param end: of its windows, in ISO 8601.
    :param outcomes: of each object, failed ones first.
    :param api_calls: that the objects took.
    :param seconds: from the plan to the summary.
    :param summary: the path of the file that holds all this.
    """

    run: str
    end: str
    outcomes: tuple[Outcome, ...]
    api_calls: int
    seconds: float
    summary: str = ""

    @property
    def records(self) -> int:
        """Rows that the run's receipts have."""
        return sum(each.records for each in self.outcomes)

    @property
    def failed(self) -> dict[str, str]:
        """What went wrong, by object."""
        return {each.sobject: each.error or "" for each in self.outcomes if each.status == "failed"}

    @property
    def refused(self) -> dict[str, str]:
        """The objects that a pattern matched and Salesforce refused, and why."""
        return {each.sobject: each.error or "" for each in self.outcomes if each.status == "refused"}

    @property
    def receipts(self) -> dict[str, str]:
        """The paths of the run's receipts, by object."""
        return {each.sobject: each.receipt for each in self.outcomes if each.receipt}

    def line(self) -> str:
        """The report in one sentence."""
        line = (
            f"{counted(len(self.outcomes), 'object')} up to {self.end}: {counted(len(self.receipts), 'receipt')} with "
            f"{counted(self.records, 'row')}"
        )
        for word, names in (("failed", self.failed), ("refused", self.refused)):
            line += f"; {word}: {', '.join(names)}" if names else ""
        return line

    def check(self, most_failed: int, *, may_be_repeated: bool = True) -> None:
        """Fail where too many objects failed.

        :param most_failed: how many may.
        :param may_be_repeated: whether another attempt of the same task asks for them again.
        :raises ObjectsFailedError: naming each, and what to do; retryable where another attempt may help one of them.
        """
        failed = [each for each in self.outcomes if each.status == "failed"]
        if len(failed) <= most_failed:
            return
        named = "; ".join(f"{each.sobject}: {each.error}" for each in failed)
        raise ObjectsFailedError(
            f"{len(failed)} of {counted(len(self.outcomes), 'object')} failed ({', '.join(self.failed)}), "
            f"{counted(len(self.receipts), 'receipt')} of this run stand. {named}. Another attempt of this run takes "
            f"only what is missing. Summary: {self.summary}",
            failed=self.failed,
            retryable=may_be_repeated and any(each.retryable for each in failed),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of ``summary.json``."""
        return {
            "version": VERSION,
            "run": self.run,
            "end": self.end,
            "objects": len(self.outcomes),
            "published": len(self.receipts),
            "failed": len(self.failed),
            "records": self.records,
            "api_calls": self.api_calls,
            "seconds": round(self.seconds, 3),
            "outcomes": [each.to_json() for each in self.outcomes],
        }


def failed_first(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes in the order in which people read them.

    :param outcomes: in any order.
    """
    return tuple(sorted(outcomes, key=lambda each: (each.status != "failed", each.status != "refused", each.sobject)))
