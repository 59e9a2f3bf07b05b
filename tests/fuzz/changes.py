"""Bytes made of good ones: cut, repeated, spliced, with bits and words changed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.fuzz.seeds import WORDS

#: Bytes of the longest input. Time that grows with the square of the length shows at a tenth of it.
LONGEST = 2**17


def changed(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Change a good input, or several into one.

    :param random: draws what is done.
    :param seeds: good input.
    """
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 3, 5, 8))):
        place = random.randrange(len(data) + 1)
        end = min(len(data), place + random.choice((1, 2, 8, 64, 512)))
        match random.randrange(7):
            case 0:
                del data[place:end]
            case 1:
                data[place:place] = random.choice(WORDS)
            case 2:
                data[place:end] = random.choice(WORDS)
            case 3 if place < len(data):
                data[place] ^= 1 << random.randrange(8)
            case 4:
                data[place:place] = data[place:end] * random.choice((2, 10, 1_000))
            case 5:
                other = random.choice(seeds)
                data[place:] = other[random.randrange(len(other) + 1) :]
            case _:
                data[place:place] = random.choice(WORDS) * random.choice((2, 50, 3_000))
        del data[LONGEST:]
    return bytes(data)
