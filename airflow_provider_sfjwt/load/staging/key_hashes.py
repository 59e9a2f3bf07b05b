"""Which of many keys occur more than once, from 64 bits of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

#: Keys that are compared at once, which bounds the memory that it takes.
COMPARED = 50_000


class KeyHashes:
    """The hash of each key, in the keys' order: eight bytes a key. A hash of 0 is of no key.

    :param compared: keys that are compared at once.
    """

    def __init__(self, compared: int = COMPARED) -> None:
        self._compared = compared
        self._hashes = array("q")

    def __len__(self) -> int:
        return len(self._hashes)

    def __getitem__(self, position: int) -> int:
        return self._hashes[position]

    def extend(self, hashes: Iterable[int]) -> None:
        """Add the hashes of the next keys."""
        self._hashes.extend(hashes)

    def leave_out(self, position: int) -> None:
        """From now on there is no key at a position."""
        self._hashes[position] = 0

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the position of each hash that has occurred before, and of its first occurrence."""
        count = len(self._hashes)
        hashes = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(self._hashes)])
        shares = count // self._compared + 1
        bounds = [-(2**63) + 2**64 * share // shares for share in range(shares)] + [2**63]
        for low, high in pairwise(bounds):
            inside = pc.and_(pc.greater_equal(hashes, scalar(low)), pc.less_equal(hashes, scalar(high - 1)))
            share = hashes.filter(pc.and_(inside, pc.not_equal(hashes, scalar(0))))
            if pc.count_distinct(share).as_py() == len(share):
                continue
            values, counts = share.value_counts().flatten()
            repeated = values.filter(pc.greater(counts, scalar(1)))
            positions = pc.indices_nonzero(pc.is_in(hashes, value_set=repeated))
            seen: dict[int, int] = {}
            for start in range(0, len(positions), self._compared):
                for position in positions.slice(start, self._compared).to_pylist():
                    earlier = seen.setdefault(self._hashes[position], position)
                    if earlier != position:
                        yield position, earlier
