"""What a bundle's second ear is told: how the phrase is said, and what sounds like it."""

from __future__ import annotations

import pytest

from data_tools.accents import ways_to_say
from data_tools.phones import PHONES, distance
from training.second_ear import SecondEarSpec, phrase_spec
from training.transcripts import SYMBOLS
from wakeword.errors import WakewordError


class Backbone:
    """All of a backbone that is asked for."""

    class about:
        symbols = SYMBOLS


def spec_of(phrase: str, **fields: object):  # type: ignore[no-untyped-def]
    return phrase_spec(SecondEarSpec(**fields), phrase, Backbone)  # type: ignore[arg-type]


def test_the_usual_pronunciation_comes_first_and_words_run_together() -> None:
    ways = ways_to_say("Robert turn on")
    assert ways[0] == ("R", "AA", "B", "ER", "T", "T", "ER", "N", "AA", "N")
    assert ("R", "AA", "B", "ER", "T", "ER", "N", "AA", "N") in ways
    assert ("R", "AA", "B", "AH", "T", "T", "AH", "N", "AA", "N") in ways  # without r
    assert len(set(ways)) == len(ways)
    assert all(phone in PHONES for way in ways for phone in way)


def test_the_contrary_is_a_competitor_however_near_it_is() -> None:
    spec = spec_of("Robert turn on", competitors=8)
    assert ("R", "AA", "B", "ER", "T", "T", "ER", "N", "AO", "F") in spec.competitors
    assert len(spec.competitors) <= 8


def test_what_may_be_the_phrase_in_an_accent_is_no_competitor() -> None:
    spec = spec_of("smart mirror", competitor_distance=1.2)
    assert spec.competitors
    nearest = min(distance(a, b) for a in spec.competitors for b in spec.pronunciations)
    assert nearest >= 1.2


def test_a_part_of_the_phrase_is_no_competitor() -> None:
    """It would fit wherever the phrase does."""
    ways = spec_of("Robert turn on").pronunciations
    for rival in spec_of("Robert turn on").competitors:
        assert not any(" ".join(rival) in " ".join(way) for way in ways)


def test_the_window_holds_the_longest_way_to_say_it() -> None:
    spec = spec_of("computer", window_s=0.06, hold_s=0.06, competitors=0)
    assert spec.window_steps > max(map(len, spec.pronunciations))


def test_a_recipe_may_say_how_it_is_pronounced() -> None:
    spec = spec_of("xqzt", pronunciations=("K Y UW Z",), competitors=0)
    assert spec.pronunciations == (("K", "Y", "UW", "Z"),)


def test_a_phrase_with_no_pronunciation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no espeak-ng either
    with pytest.raises(WakewordError, match="xqzt"):
        spec_of("xqzt now")


def test_a_wrong_phone_is_named() -> None:
    with pytest.raises(WakewordError, match="QQ"):
        spec_of("x", pronunciations=("K QQ",), competitors=0)
