"""How a phrase may be said: the dictionary's pronunciations, run together, and in other accents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from data_tools.phones import VOWELS
from data_tools.pronounce import Phones, pronounce, words_of

# What people say for one another in the Englishes of the world; one of them at a time.
_SHIFTS = (
    {"AO": "AA"},  # the cot-caught merger
    {"AA": "AO"},
    {"ER": "AH"},  # without r, as in London
    {"AH": "IH"},  # a weak vowel
    {"AE": "EH"},  # as Mandarin, German and Spanish speakers hear it
    {"IH": "IY"},
    {"DH": "D", "TH": "S"},
    {"Z": "S"},
)


def ways_to_say(phrase: str, most: int = 12) -> tuple[Phones, ...]:
    """Pronunciations of a phrase in ARPAbet, the usual one first, ``most`` of them.

    WakewordError if a word of it is in no dictionary and espeak-ng can't say it either.
    """
    said = [pronounce(word) for word in words_of(phrase)]
    whole = [tuple(itertools.chain(*way)) for way in itertools.product(*said)]
    ways = dict.fromkeys(whole)
    for way in whole:
        ways.update(dict.fromkeys(_run_together(way)))
    for way in list(ways):
        ways.update(dict.fromkeys(_accents(way)))
    return tuple(ways)[:most]


def _run_together(way: Phones) -> Iterator[Phones]:
    """One phone where two alike meet (Rober' turn), a flap for a t between vowels."""
    yield tuple(phone for i, phone in enumerate(way) if i == 0 or phone != way[i - 1])
    flapped = [
        "D"
        if phone == "T" and 0 < i < len(way) - 1 and {way[i - 1], way[i + 1]} <= VOWELS
        else phone
        for i, phone in enumerate(way)
    ]
    yield tuple(flapped)


def _accents(way: Phones) -> Iterator[Phones]:
    # An r that no vowel follows falls silent, and ER becomes a plain vowel.
    silent = [
        "AH" if phone == "ER" else phone
        for i, phone in enumerate(way)
        if phone != "R" or (i + 1 < len(way) and way[i + 1] in VOWELS)
    ]
    yield tuple(silent)
    for shift in _SHIFTS:
        yield tuple(shift.get(phone, phone) for phone in way)
