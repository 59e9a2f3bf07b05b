"""How far a polled object has been watched, and which of its rows are new.

A row is known by a hash of its id and its ``SystemModstamp``. What was stamped before the mark is known, but for rows
that were committed late: these are looked for ``overlap`` seconds back.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from airflow_provider_sfjwt.triggers.watching.payload import moment_of, moment_text

#: Rows of one window that are told apart. Their hashes must fit into 64 KB, the largest value of a state store.
MOST_ROWS = 5_000
_HASH = 8

Pair = tuple[str, str]


@dataclass(frozen=True)
class Mark:
    """How far an object has been watched.

    :param org: id of the org, or None where it is not known.
    :param until: rows stamped before it are known, but for those that were committed late.
    :param seen: hashes of the rows since ``until`` less the overlap.
    :param floor: rows stamped before it are not looked at, since there were more than are told apart; or None.
    :param settle: where there were more rows than are told apart: the begin of their window, and when it is to be
        read once more, for rows that were committed late; or None.
    """

    org: str | None
    until: datetime
    seen: frozenset[bytes] = frozenset()
    floor: datetime | None = None
    settle: tuple[datetime, datetime] | None = None

    def since(self, overlap: timedelta) -> datetime:
        """From where rows are looked at.

        :param overlap: how long after its stamp a row may be committed.
        """
        begin = self.until - overlap
        return begin if self.floor is None else max(begin, self.floor)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "org": self.org,
            "until": moment_text(self.until),
            "seen": base64.b64encode(b"".join(sorted(self.seen))).decode(),
            "floor": None if self.floor is None else moment_text(self.floor),
            "settle": None if self.settle is None else [moment_text(each) for each in self.settle],
        }

    @classmethod
    def of(cls, stored: Any) -> Mark:
        """Read what :meth:`as_json` made.

        :param stored: decoded JSON.
        :raises ValueError: for anything else.
        """
        try:
            hashes = base64.b64decode(stored["seen"], validate=True)
            seen = frozenset(hashes[place : place + _HASH] for place in range(0, len(hashes), _HASH))
            floor, settle = stored["floor"], stored["settle"]
            return cls(
                stored["org"],
                moment_of(stored["until"]),
                seen,
                None if floor is None else moment_of(floor),
                None if settle is None else (moment_of(settle[0]), moment_of(settle[1])),
            )
        except (TypeError, KeyError, IndexError) as fault:
            raise ValueError(f"not a watcher's mark: {fault!r}") from None


@dataclass(frozen=True)
class News:
    """What a look at an object brought.

    :param mark: the next mark.
    :param since: begin of the window that covers what is new, or None where nothing is.
    :param ids: of the records that are new; None where they are not told apart.
    """

    mark: Mark
    since: datetime | None = None
    ids: tuple[str, ...] | None = ()


def first_mark(org: str | None, pairs: Iterable[Pair] | None, until: datetime) -> Mark:
    """The mark of an object that is watched from now on: what is there is not new.

    :param org: id of the org.
    :param pairs: the rows of the overlap before ``until``, or None where there are more than are told apart.
    :param until: the org's time.
    """
    if pairs is None:
        return Mark(org, until, floor=until)
    return Mark(org, until, frozenset(map(_hash, pairs)))


def news(mark: Mark, pairs: tuple[Pair, ...] | None, until: datetime, overlap: timedelta) -> News:
    """Compare rows with a mark.

    :param mark: how far the object has been watched.
    :param pairs: its rows from ``mark.since(overlap)`` to ``until``, or None where there are more than are told apart.
    :param until: the org's time.
    :param overlap: how long after its stamp a row may be committed.
    """
    if pairs is None:
        begin = mark.since(overlap)
        first = begin if mark.settle is None else min(begin, mark.settle[0])
        after = Mark(mark.org, until, floor=until, settle=(first, until + overlap))
        return News(after, begin, None)
    new = [pair for pair in pairs if _hash(pair) not in mark.seen]
    kept = frozenset(_hash(pair) for pair in pairs if moment_of(pair[1]) >= until - overlap)
    after = replace(mark, until=until, seen=kept)
    if mark.settle is not None and until >= mark.settle[1]:
        return News(replace(after, settle=None), mark.settle[0], None)
    if not new:
        return News(after)
    return News(after, min(moment_of(stamp) for _, stamp in new), tuple(dict.fromkeys(record for record, _ in new)))


def _hash(pair: Pair) -> bytes:
    return blake2b("\0".join(pair).encode(), digest_size=_HASH).digest()
