"""How a phrase may be said: the dictionary's pronunciations, run together, and in other accents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from data_tools.phones import VOWELS
from data_tools.pronounce import Phones, foreign, is_english, pronounce, words_of
from wakeword.errors import WakewordError

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


def ways_to_say(phrase: str, most: int = 12, language: str = "en") -> tuple[Phones, ...]:
    """Pronunciations of a phrase in ARPAbet, the usual one first, ``most`` of them.

    WakewordError if a word of it is in no dictionary and espeak-ng can't say it either.
    """
    if not words_of(phrase):
        raise WakewordError(f"{phrase!r}: no words in it")
    if not is_english(language):
        return _foreign_ways(phrase, language)[:most]
    said = [pronounce(word) for word in words_of(phrase)]
    whole = [tuple(itertools.chain(*way)) for way in itertools.product(*said)]
    ways = dict.fromkeys(whole)
    for way in whole:
        ways.update(dict.fromkeys(_run_together(way)))
    for way in list(ways):
        ways.update(dict.fromkeys(_accents(way)))
    return tuple(ways)[:most]


def _foreign_ways(phrase: str, language: str) -> tuple[Phones, ...]:
    """As espeak-ng says it in one breath, every sound also as else it may be heard; run together.

    Word by word too: French and Korean words change beside one another, and not in every mouth.
    """
    words = words_of(phrase)
    apart = [foreign(word, language)[0] for word in words]
    whole = foreign(" ".join(words), language)
    ways = dict.fromkeys([whole[0], tuple(itertools.chain(*apart)), *whole[1:]])
    for way in list(ways):
        together = tuple(phone for i, phone in enumerate(way) if i == 0 or phone != way[i - 1])
        ways[together] = None
    return tuple(ways)


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
