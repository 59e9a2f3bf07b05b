"""What a watcher says of changes: to Airflow's log as well, so that no value of a record is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

#: Ids that an event lists. Airflow logs payloads and keeps them in its database.
MOST_IDS = 200


def payload(
    kind: str,
    sobject: str,
    *,
    org: str | None,
    since: datetime,
    until: datetime,
    ids: Sequence[str] | None,
    change_types: Sequence[str] | None = None,
    changed_fields: Sequence[str] | None = None,
    gap: str | None = None,
) -> dict[str, Any]:
    """The payload of a watcher's event.

    :param kind: ``poll`` or ``events``.
    :param sobject: what changed.
    :param org: id of the org, or None where it is not known.
    :param since: begin of the window of ``SystemModstamp`` that covers the changes; with a time zone.
    :param until: its end, excluded.
    :param ids: of the records, each once; None where they are not known.
    :param change_types: e.g. ``UPDATE``; None where they are not known.
    :param changed_fields: names of fields; None where they are not known.
    :param gap: why changes may be missing from the ids, so that the window must be read; None for no such reason.
    """
    listed = None if ids is None or len(ids) > MOST_IDS else list(ids)
    return {
        "kind": kind,
        "sobject": sobject,
        "org": org,
        "since": moment_text(since),
        "until": moment_text(until),
        "count": None if ids is None else len(ids),
        "change_types": None if change_types is None else sorted(set(change_types)),
        "record_ids": listed,
        "changed_fields": None if changed_fields is None else sorted(set(changed_fields)),
        "gap": gap,
    }


def moment_text(moment: datetime) -> str:
    """A moment in ISO 8601, in UTC.

    :param moment: with a time zone.
    """
    utc = moment.astimezone(timezone.utc)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """A moment as :func:`moment_text` or Salesforce wrote it.

    :param text: in UTC, e.g. ``2026-11-20T13:08:34Z`` or ``2026-11-20T13:08:34.000+0000``.
    :raises ValueError: for any other text.
    """
    # Thousands of rows are read at a look, on the event loop: strptime takes thirty times as long.
    for zone in ("Z", "+0000"):
        if isinstance(text, str) and text.endswith(zone):
            return datetime.fromisoformat(f"{text.removesuffix(zone)}+00:00")
    raise ValueError(f"not a moment in UTC: {text!r}")
