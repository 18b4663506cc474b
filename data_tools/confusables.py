"""Near misses: what sounds like a phrase and isn't it.

Its parts, its words in another order, and the phrase with one or two words replaced by words that
sound like them (Hou et al., arXiv 2011.01460, find such negatives worth more than random ones).
English words come from CMUdict; of another language only words that are given can stand in.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from data_tools.phones import distance
from data_tools.pronounce import Phones, dictionary, is_english, pronounce, sound_alike, words_of
from wakeword.errors import WakewordError

NEAR_WORDS = 150  # looked at for each word of the phrase
# Nearer than this it may be the phrase itself in somebody's accent.
MIN_DISTANCE = 0.6
# What the same device is told for the contrary; it must not do the one when it hears the other.
OPPOSITES = (
    ("on", "off"), ("up", "down"), ("open", "close"), ("start", "stop"), ("left", "right"),
    ("in", "out"), ("lock", "unlock"), ("louder", "quieter"), ("warmer", "cooler"), ("yes", "no"),
)  # fmt: skip


@dataclass(frozen=True)
class Confusable:
    """One near miss and how far it is, in phones (1: one phone wholly different)."""

    text: str
    distance: float
    kind: str  # opposite, part, order or words


def _is_latin(char: str) -> bool:
    return not char.isalpha() or unicodedata.name(char, "").startswith("LATIN")


def confusables(
    phrase: str,
    count: int = 50,
    min_distance: float = MIN_DISTANCE,
    language: str = "en",
    texts: Sequence[str] = (),
) -> list[Confusable]:
    """``count`` near misses or a few less, nearest first.

    Up to a third are opposites, parts and reorderings, which are few and always worth having; the
    rest has one word replaced, a quarter of it two, near ones densely and farther ones sparsely.
    For another language than English the words come from ``texts``; without them, or for a phrase
    of one word, few or none are found.
    """
    words = tuple(words_of(phrase))
    if not words:
        raise WakewordError(f"{phrase!r}: no words in it")
    english = is_english(language)
    if english and not all(_is_latin(char) for char in "".join(words)):
        raise WakewordError(
            f"{phrase!r} is not written in English letters; say its language, as in --language ko"
        )
    said = [pronounce(word, language) for word in words]
    vocabulary = {} if english else _vocabulary(texts, language)
    whole = tuple(itertools.chain(*(options[0] for options in said)))
    found = {words: Confusable(" ".join(words), 0.0, "")}

    def note(kind: str, texts: Iterator[tuple[str, ...]], most: int) -> None:
        for text in texts:
            if most <= 0:
                return
            away = 0.0 if text in found else _distance_to(whole, text, language)
            # CMUdict has mistakes (tern, it says, rhymes with terns): ask a second opinion.
            if away >= min_distance and not sound_alike(" ".join(text), " ".join(words), language):
                found[text] = Confusable(" ".join(text), round(away, 2), kind)
                most -= 1

    third = max(1, count // 3)
    if english:
        note("opposite", _opposites(words), third)
    note("order", itertools.permutations(words), min(third // 2, count - len(found)))
    note("part", _parts(words), count // 3 + 1 - len(found))
    near = [
        [
            row
            for row in (
                _near_english(word, options) if english else near_words(word, options, vocabulary)
            )
            if row[0] >= min_distance
        ]
        for word, options in zip(words, said, strict=True)
    ]
    left = count + 1 - len(found)
    note("words", _one_replaced(words, near, -(-left * 3 // (4 * len(words)))), left - left // 4)
    note("words", _two_replaced(words, near, 2 * count), count + 1 - len(found))
    del found[words]
    return sorted(found.values(), key=lambda c: (c.distance, c.text))


def near_misses_to_say(phrase: str, count: int) -> list[str]:
    """Near misses to ask people for beside ``count`` takes of the phrase.

    None for a phrase that the dictionary can't pronounce.
    """
    try:
        return [near.text for near in confusables(phrase, max(6, count // 2))]
    except WakewordError:
        return []


@lru_cache(maxsize=64)
def _near_english(word: str, said: tuple[Phones, ...]) -> tuple[tuple[float, str], ...]:
    return near_words(word, said, dictionary())


def near_words(
    word: str, said: tuple[Phones, ...], vocabulary: Mapping[str, tuple[Phones, ...]]
) -> tuple[tuple[float, str], ...]:
    """Other words that sound alike with their distances, nearest first, one of each sound."""
    length, sounds = len(said[0]), set(said[0])
    alike = max(1, len(sounds) // 2)  # sharing fewer sounds, it is too far to be worth measuring
    rows: dict[Phones, tuple[float, str]] = {}
    for text, ways in vocabulary.items():
        if abs(len(ways[0]) - length) > 2 or len(sounds.intersection(ways[0])) < alike:
            continue
        if text != word and text.isalpha() and len(text) > 1:
            away = min(distance(own, other) for own in said[:2] for other in ways)
            # Of words that sound the same the shortest is the one that people write.
            if away > 0 and (ways[0] not in rows or len(text) < len(rows[ways[0]][1])):
                rows[ways[0]] = (away, text)
    return tuple(heapq.nsmallest(NEAR_WORDS, rows.values()))


def _vocabulary(texts: Sequence[str], language: str) -> dict[str, tuple[Phones, ...]]:
    """Each word of some texts with its pronunciations; those that can't be said are left out."""
    said = {}
    for word in dict.fromkeys(word for text in texts for word in words_of(text)):
        with contextlib.suppress(WakewordError):
            said[word] = pronounce(word, language)
    return said


def _distance_to(whole: Phones, text: tuple[str, ...], language: str) -> float:
    """The least distance over all ways to say ``text``."""
    ways = itertools.islice(itertools.product(*(pronounce(word, language) for word in text)), 16)
    return min(distance(whole, tuple(itertools.chain(*way))) for way in ways)


def _opposites(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    other = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
    for place, word in enumerate(words):
        if word in other:
            yield (*words[:place], other[word], *words[place + 1 :])


def _parts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every run of words that is shorter than the phrase, the longest first."""
    for length in range(len(words) - 1, 0, -1):
        for start in range(len(words) - length + 1):
            yield words[start : start + length]


def _one_replaced(
    words: tuple[str, ...], near: list[list[tuple[float, str]]], each: int
) -> Iterator[tuple[str, ...]]:
    """``each`` times every word replaced, by near words mostly."""
    for number in range(each):
        for place, options in enumerate(near):
            if options:
                rank = min(int((number / each) ** 1.7 * NEAR_WORDS), len(options) - 1)
                yield (*words[:place], options[rank][1], *words[place + 1 :])


def _two_replaced(
    words: tuple[str, ...], near: list[list[tuple[float, str]]], limit: int
) -> Iterator[tuple[str, ...]]:
    """Two words replaced by two of their nearest, nearest pairs first, no word twice."""
    pairs = []
    for a, b in itertools.combinations(range(len(words)), 2):
        for (far_a, word_a), (far_b, word_b) in zip(near[a], reversed(near[b]), strict=False):
            replaced = list(words)
            replaced[a], replaced[b] = word_a, word_b
            pairs.append((far_a + far_b, tuple(replaced)))
    yield from (text for _, text in heapq.nsmallest(limit, pairs))
