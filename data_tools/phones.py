"""ARPAbet phones and how far apart they sound."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

# (manner, place, voiced); manners in order of openness, places from the lips backwards.
_CONSONANTS = {
    "P": (0, 0, 0), "B": (0, 0, 1), "T": (0, 3, 0), "D": (0, 3, 1), "K": (0, 6, 0), "G": (0, 6, 1),
    "CH": (1, 4, 0), "JH": (1, 4, 1),
    "F": (2, 1, 0), "V": (2, 1, 1), "TH": (2, 2, 0), "DH": (2, 2, 1), "S": (2, 3, 0),
    "Z": (2, 3, 1), "SH": (2, 4, 0), "ZH": (2, 4, 1), "HH": (2, 7, 0),
    "M": (3, 0, 1), "N": (3, 3, 1), "NG": (3, 6, 1),
    "L": (4, 3, 1), "R": (4, 4, 1), "W": (5, 0, 1), "Y": (5, 5, 1),
}  # fmt: skip
# (height 0 open .. 4 close, backness 0 front .. 4 back, glides towards: 0 none, 1 i, 2 u, 3 r)
_VOWELS = {
    "IY": (4, 0, 0), "IH": (3, 1, 0), "EY": (3, 0, 1), "EH": (2, 0, 0), "AE": (1, 0, 0),
    "AA": (0, 3, 0), "AH": (1, 2, 0), "AO": (1, 4, 0), "OW": (2, 4, 2), "UH": (3, 3, 0),
    "UW": (4, 4, 0), "ER": (2, 2, 3), "AY": (0, 2, 1), "AW": (0, 2, 2), "OY": (2, 4, 1),
}  # fmt: skip
PHONES = (*_CONSONANTS, *_VOWELS)
VOWELS = frozenset(_VOWELS)
INSERTION = 0.9  # a phone more or less is a little less than a wholly different one


@lru_cache(maxsize=4096)
def phone_distance(a: str, b: str) -> float:
    """0 for the same phone, about 0.2 for a voicing pair, 1 for a vowel against a stop."""
    if a == b:
        return 0.0
    if a in _VOWELS and b in _VOWELS:
        (height_a, back_a, glide_a), (height_b, back_b, glide_b) = _VOWELS[a], _VOWELS[b]
        apart = abs(height_a - height_b) + abs(back_a - back_b)
        return min(1.0, 0.12 + 0.11 * apart + 0.2 * (glide_a != glide_b))
    if a in _CONSONANTS and b in _CONSONANTS:
        (manner_a, place_a, voice_a), (manner_b, place_b, voice_b) = _CONSONANTS[a], _CONSONANTS[b]
        apart = 0.15 * abs(manner_a - manner_b) + 0.09 * abs(place_a - place_b)
        return min(1.0, 0.1 + apart + 0.15 * (voice_a != voice_b))
    return 1.0


def distance(a: Sequence[str], b: Sequence[str]) -> float:
    """The least sum of phone distances, insertions and deletions that turns ``a`` into ``b``."""
    row = [INSERTION * i for i in range(len(b) + 1)]
    for phone in a:
        diagonal, row[0] = row[0], row[0] + INSERTION
        for j, other in enumerate(b, start=1):
            best = min(
                diagonal + phone_distance(phone, other),
                row[j] + INSERTION,
                row[j - 1] + INSERTION,
            )
            diagonal, row[j] = row[j], best
    return row[-1]


def plain(phones: Sequence[str]) -> tuple[str, ...]:
    """Phones without their stress digits."""
    return tuple(phone.rstrip("012") for phone in phones)
